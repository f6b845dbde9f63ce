"""Large files written piece by piece: JSON lists, and records that are kept on disk meanwhile."""

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

Record = dict[str, Any]


def json_bytes(value: object, indent: int | None = None) -> bytes:
    """JSON as UTF-8, without NaN and infinities, which JSON does not know."""
    separators = (",", ":") if indent is None else None
    text = json.dumps(
        value, ensure_ascii=False, separators=separators, indent=indent, allow_nan=False
    )
    return text.encode()


class Spool:
    """Pieces of bytes that wait in a temporary file until they are wanted, in order.

    The file lies in `folder`, where there is room for the result too, and has no name: it is gone
    with the process, however that ends.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, piece: bytes) -> None:
        """Append a piece; it must not hold a line break."""
        self._file.write(piece + b"\n")

    def lines(self) -> Iterator[bytes]:
        """All pieces, from the first one on."""
        self._file.seek(0)
        for line in self._file:
            yield line[:-1]

    def add_record(self, record: Record) -> None:
        """Append a JSON record."""
        self.add(json_bytes(record))

    def records(self) -> Iterator[Record]:
        """All JSON records, from the first one on."""
        for line in self.lines():
            yield json.loads(line)


def list_writer(file: IO[bytes], between: bytes = b",\n") -> Callable[[bytes], None]:
    """A function that writes one element after the other, with what belongs between two."""
    first = True

    def write(piece: bytes) -> None:
        nonlocal first
        if not first:
            file.write(between)
        first = False
        file.write(piece)

    return write
