"""What a part of the soak is asked for, and what it tells."""

import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """seed: of all that is random. seconds: how long a part goes on, where it can. short: few of
    all, and the narrow networks of `tests.narrow`, which must be in use already. folder: to work
    in; what shows a failure again is kept in its folder `kept`."""

    seed: int
    seconds: float
    short: bool
    folder: Path

    def random(self, *of: object) -> random.Random:
        """Chance for one thing: the same for the same seed."""
        return random.Random(" ".join(map(str, (self.seed, *of))))

    def keep(self, name: str, what: Path | bytes) -> str:
        """Keep a file or folder, or the bytes of a file, that shows a failure; says where."""
        place = self.folder / "kept" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(what, bytes):
            place.write_bytes(what)
        elif what.is_dir():
            shutil.copytree(what, place, dirs_exist_ok=True)
        else:
            shutil.copyfile(what, place)
        return f"seed {self.seed}, see {place}"


@dataclass
class Row:
    """A line of the table; `failures` say what did not hold, and how to see it again."""

    part: str
    tried: str
    held: str = ""
    failures: list[str] = field(default_factory=list)


def table(rows: Sequence[Row]) -> str:
    """Rows as Markdown."""
    lines = ["| part | tried | what held |", "|---|---|---|"]
    for row in rows:
        failed = f"; **{len(row.failures)} FAILED**" if row.failures else ""
        lines.append(f"| {row.part} | {row.tried} | {row.held}{failed} |")
    return "\n".join(lines)


def counted(number: int, what: str) -> str:
    """1 picture, 1,000 pictures."""
    return f"{number:,} {what}{'s'[: number != 1]}"
