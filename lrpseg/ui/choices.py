"""What the drop-downs of domains and networks offer, as it is now: `lrpseg learn` adds domains and
removes them while the page runs.
"""

from typing import Any

import gradio as gr

from lrpseg.domains import known_domain, list_domains
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.operating_points import default_choice


def domains(shown: str | None = None) -> dict[str, Any]:
    """All domains, and `shown`, the one to choose, even where it is no longer here."""
    found = {name: domain.title for name in list_domains() if (domain := known_domain(name))}
    if shown is not None:
        found.setdefault(shown, f"{shown} (no longer here)")
    pairs = [(title, name) for name, title in found.items()]
    return gr.update(choices=pairs) if shown is None else gr.update(choices=pairs, value=shown)


def networks(name: str, value: str | None = None) -> dict[str, Any]:
    """The networks of a domain; chosen is `value`, or the default where it has none of that name.

    Of a domain that is no longer here: `value` alone.
    """
    domain = known_domain(name)
    if domain is None:
        have, chosen = [n for n in NETWORKS if n == value], value
    else:
        have = list(domain.checkpoints)
        chosen = value if value in have else default_choice(domain).network
    return gr.update(choices=[(NETWORKS[n].title, n) for n in have], value=chosen)
