"""Stages of a shipping: each is done once, as long as what it was made from stays the same."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrpseg.masks.render import save_text
from lrpseg.models.tensors import checkpoint_hash as file_hash

FILE_NAME = "stages.json"


@dataclass(frozen=True)
class Stages:
    """The record of what was done in `folder`: for each stage the hash of what it was made from,
    and the SHA-256 of the files that it left."""

    folder: Path
    say: Callable[[str], None]

    def do(
        self, name: str, made_from: Any, files: Sequence[Path], make: Callable[[], object]
    ) -> None:
        """Call `make`, which leaves `files` (below `folder`), unless that was done from the very
        same `made_from` (what JSON holds) and the files are still as they were."""
        wanted = digest(made_from)
        held = self._held().get(name)
        if held is not None and held["made_from"] == wanted and held["files"] == self._now(files):
            self.say(f"{name}: done before")
            return
        self.say(f"{name}: begins")
        make()
        record = self._held() | {name: {"made_from": wanted, "files": self._now(files)}}
        save_text(json.dumps(record, indent=1) + "\n", self.folder / FILE_NAME)

    def _held(self) -> dict[str, Any]:
        try:
            held: dict[str, Any] = json.loads((self.folder / FILE_NAME).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return held

    def _now(self, files: Sequence[Path]) -> dict[str, str | None]:
        return {
            file.relative_to(self.folder).as_posix(): file_hash(file) if file.is_file() else None
            for file in files
        }


def digest(value: Any) -> str:
    """SHA-256 of what JSON holds, in hexadecimal; the order of keys plays no part."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
