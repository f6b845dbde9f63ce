"""How many files something is said of, by kind, with the first names: however many there are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMED = 20
"""So many names are kept of each kind."""


@dataclass
class Told:
    """counts: files of each kind. names: the first of them."""

    counts: dict[str, int] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        """One more file of a kind."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        named = self.names.setdefault(kind, [])
        if len(named) < NAMED:
            named.append(name)

    @property
    def total(self) -> int:
        """Files of all kinds."""
        return sum(self.counts.values())

    def reasons(self) -> list[str]:
        """["2 (.txt file)", "1 (hidden)"], the most first."""
        ordered = sorted(self.counts.items(), key=lambda entry: (-entry[1], entry[0]))
        return [f"{count:,} ({kind})" for kind, count in ordered]

    def as_json(self) -> dict[str, Any]:
        """The same as JSON types."""
        return {
            kind: {"files": count, "names": self.names[kind]}
            for kind, count in sorted(self.counts.items())
        }

    @classmethod
    def of_json(cls, held: Mapping[str, Any]) -> "Told":
        """The reverse of `as_json`."""
        return cls(
            {kind: int(entry["files"]) for kind, entry in held.items()},
            {kind: list(entry["names"]) for kind, entry in held.items()},
        )

    @classmethod
    def read(cls, path: Path) -> "Told":
        """What a file holds as JSON; nothing where there is none, as in runs of older versions."""
        return cls.of_json(json.loads(path.read_text("utf-8"))) if path.is_file() else cls()
