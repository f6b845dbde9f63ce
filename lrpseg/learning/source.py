"""What a workspace has to learn from: the pictures whose masks a person made or agreed to."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrpseg.core.errors import LrpsegError
from lrpseg.domains import known_domain
from lrpseg.workspace import Item, Workspace


@dataclass(frozen=True, eq=False)
class Corrected:
    """A corrected picture: image (H, W, 3) uint8, mask and `changed` (H, W) bool. `changed`: what
    a person drew, unless they (or another tool) drew the whole mask."""

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    changed: NDArray[np.bool_]


def base_of(name: str) -> str:
    """The domain that a domain was learned from, or itself; a name that is not there is its own."""
    domain = known_domain(name)
    return name if domain is None or domain.base is None else domain.base.name


def corrected_items(workspace: Workspace, domain: str | None = None) -> tuple[str, list[Item]]:
    """(domain, pictures): the corrected pictures of a domain and of those learned from it.

    Pictures count that were accepted or edited (so empty masks that were accepted count as well),
    and those whose whole mask was imported. A picture that is there twice counts once, as it was
    changed last.

    Args:
        domain: None: the only one that the workspace has corrected pictures of.

    Raises:
        LrpsegError: nothing was corrected, or pictures of several domains were.
    """
    items = [item for item in workspace.items() if _counts(workspace, item)]
    bases = {d: base_of(d) for d in {item.settings.domain for item in items}}
    if domain is None:
        found = Counter(bases[item.settings.domain] for item in items)
        if len(found) > 1:
            raise LrpsegError(
                f"The workspace has corrected pictures of several domains: "
                f"{', '.join(f'{n} of {d}' for d, n in found.items())}. Say which: --domain NAME."
            )
        domain = next(iter(found), "")
    wanted = base_of(domain)
    latest: dict[str, Item] = {}
    for item in items:
        known = latest.get(item.sha256)
        if bases[item.settings.domain] == wanted and (
            known is None or known.updated <= item.updated
        ):
            latest[item.sha256] = item
    if not latest:
        of = f" of {domain}" if domain else ""
        raise LrpsegError(
            f"There is no corrected picture{of} in {workspace.folder}. Accept or correct some on "
            "the page, or bring masks in with `lrpseg import`."
        )
    return domain, list(latest.values())


def _counts(workspace: Workspace, item: Item) -> bool:
    if item.analysis and item.status in ("accepted", "edited"):
        return True
    try:
        return item.drawn and bool(workspace.corrections(item.id).all())
    except LrpsegError:  # a stroke is damaged, and put aside: somebody has to look at it
        return False


def load_corrected(workspace: Workspace, item: Item) -> Corrected:
    """A picture with its mask as it is now."""
    changed = workspace.corrections(item.id) > 0
    if changed.all():  # says nothing about where a network would be wrong
        changed = np.zeros_like(changed)
    return Corrected(workspace.image(item.id), workspace.mask(item.id), changed)
