"""What changed in a workspace's list of pictures since a tab looked last."""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from lrpseg.core.cache import Cache

Entry = dict[str, Any]
"""A picture in the list, as JSON types; `id` and `status` among them."""

_KEPT = 100_000
"""Places in former lists that stay in memory. Lists share the entries that are the same: a hundred
bytes for each place, a thousand for each entry."""


_PLACES = 1000
"""Workspaces whose last list can be found."""


class Listings:
    """Remembers the lists that were told last; safe to use from any thread.

    A list is named by the workspace's serial and a running number: what raises no serial, such as
    the tiles that are done, changes it too.
    """

    def __init__(self, limit: int = _KEPT) -> None:
        self._told: Cache[dict[str, Entry]] = Cache(limit, lambda told: 1 + len(told))
        self._last: Cache[str] = Cache(_PLACES, lambda name: 1)
        self._numbers = count(1)

    def news(
        self, place: str, serial: str, since: str | None, entries: Callable[[], Sequence[Entry]]
    ) -> dict[str, Any]:
        """What to tell a tab: `serial`, the name of the list that it then has, and where it is not
        the same as that called `since`, either all `items`, or those `changed` (or new) and the ids
        of those `gone`.

        Args:
            place: of the workspace. serial: of the workspace, read before its entries are.
        """
        before = None if since is None else self._told.find((place, since))
        same = since is not None and since.partition(".")[0] == serial
        if (
            before is not None
            and same
            and not any(e["status"] == "running" for e in before.values())
        ):
            return {"serial": since}
        now = self._shared(place, entries())
        if before is not None:
            changed = [entry for id, entry in now.items() if before.get(id) != entry]
            gone = [id for id in before if id not in now]
            if not changed and not gone:
                return {"serial": since}
        name = f"{serial}.{next(self._numbers)}"
        self._told.put((place, name), now)
        self._last.put(place, name)
        if before is None:
            return {"serial": name, "items": list(now.values())}
        return {"serial": name, "changed": changed, "gone": gone}

    def _shared(self, place: str, entries: Sequence[Entry]) -> dict[str, Entry]:
        """Entries by id; those that are as they were in the last list are the objects of that."""
        last = self._told.find((place, self._last.find(place))) or {}
        shared = (old if (old := last.get(e["id"])) == e else e for e in entries)
        return {entry["id"]: entry for entry in shared}
