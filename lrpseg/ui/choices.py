"""What the menus of settings offer, as it is now: `lrpseg learn` adds domains and removes them
while the page runs.
"""

from typing import Any

import gradio as gr

from lrpseg.domains import known_domain, list_domains
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.settings import MENUS, OPTIONS, Settings
from lrpseg.pipeline.testifying import NO_WITNESS, WITNESSES
from lrpseg.ui import texts

Pairs = list[tuple[str, str]]
"""(title, name) of each choice."""


def offered(name: str, domain: str) -> Pairs:
    """The choices of the field `name` beside a domain."""
    if name == "domain":
        return _domains()
    if name == "network":
        return _networks(domain)[0]
    if name == "witness":
        return _witnesses(domain)
    registry = OPTIONS[name].registry
    assert registry is not None, name
    return texts.choices(registry)


def useful(name: str, pairs: Pairs) -> bool:
    """Whether there is something to choose: few domains have a witness."""
    return name != "witness" or len(pairs) > 1


def menus(settings: Settings) -> list[Any]:
    """Updates of all menus, in the order of `MENUS`, that show `settings`, also where its domain or
    network is no longer here."""
    found = []
    for name in MENUS:
        value = getattr(settings, name)
        if name == "domain":
            found.append(domains(value))
        elif name == "network":
            found.append(networks(settings.domain, value))
        elif name == "witness":
            pairs = _witnesses(settings.domain, value)
            found.append(gr.update(choices=pairs, value=value, visible=useful(name, pairs)))
        else:
            found.append(value)
    return found


def domains(shown: str | None = None) -> dict[str, Any]:
    """All domains, and `shown`, the one to choose, even where it is no longer here."""
    pairs = _domains(shown)
    return gr.update(choices=pairs) if shown is None else gr.update(choices=pairs, value=shown)


def networks(name: str, value: str | None = None) -> dict[str, Any]:
    """The networks of a domain; chosen is `value`, or the default where it has none of that name.

    Of a domain that is no longer here: `value` alone.
    """
    pairs, chosen = _networks(name, value)
    return gr.update(choices=pairs, value=chosen)


def _domains(shown: str | None = None) -> Pairs:
    found = {name: domain.title for name in list_domains() if (domain := known_domain(name))}
    if shown is not None:
        found.setdefault(shown, f"{shown} (no longer here)")
    return [(title, name) for name, title in found.items()]


def _witnesses(name: str, shown: str | None = None) -> Pairs:
    """Those of a domain, and none; and `shown`, also where the domain has it no more."""
    domain = known_domain(name)
    have = {NO_WITNESS, *(domain.witnesses if domain else ()), shown}
    return [(entry.title, n) for n, entry in WITNESSES.items() if n in have]


def _networks(name: str, value: str | None = None) -> tuple[Pairs, str | None]:
    """What `networks` says, as (choices, chosen)."""
    domain = known_domain(name)
    if domain is None:
        have, chosen = [n for n in NETWORKS if n == value], value
    else:
        have = [n for n in domain.checkpoints if n in NETWORKS]
        chosen = value if value in have else default_settings(domain).network
    return [(NETWORKS[n].title, n) for n in have], chosen
