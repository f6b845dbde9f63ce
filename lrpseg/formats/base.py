"""What all formats share: the three steps of an export.

An export encodes each picture into a small record (`Format.encode`, pure), writes the files that
belong to it alone (`save_files`), and joins the records into the format's common files
(`Format.assemble`). `Format.write` does the three for an iterator. A parallel or resumed run calls
them itself: it encodes each picture once, wherever and in whatever order, keeps the records as
JSON, and assembles them at the end in the order of the pictures, with the same bytes.
"""

import io
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from lrpseg.core.files import atomically
from lrpseg.formats.annotated import Annotated, Layer, layers_of
from lrpseg.formats.errors import FormatError
from lrpseg.formats.names import Taken, folded
from lrpseg.formats.options import ClassLabel, ExportOptions
from lrpseg.formats.stream import Record, Spool
from lrpseg.formats.written import Overlap, Written

__all__ = [
    "Annotated",
    "ClassLabel",
    "Content",
    "Encoded",
    "ExportOptions",
    "File",
    "Format",
    "Layer",
    "Overlap",
    "Written",
    "picture_files",
    "png",
    "save_files",
]


@dataclass(frozen=True)
class File:
    """A file of one picture: its path below the export's folder, and its bytes."""

    path: str
    data: bytes


@dataclass(frozen=True)
class Content:
    """What a format makes of one picture.

    data: goes into the record and is made of JSON types. iou: of what the files hold and the masks,
    class by class. overlaps: see `lrpseg.formats.overlaps.flatten`.
    """

    annotations: int
    data: Any = None
    files: tuple[File, ...] = ()
    iou: float = 1.0
    overlaps: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Encoded:
    """One picture, encoded: its record (JSON types only) for `assemble`, and its own files."""

    record: Record
    files: tuple[File, ...]


class Format(ABC):
    """One format. Subclasses declare what it is and implement `_encode` and `_assemble`.

    extra: the pip extra that it needs, or None. exact: whether every pixel survives by the format's
    own definition, of one class at least. files: what is written below the folder of an export.
    by_stem: whether files are paired with pictures by name without suffix. copies: whether it has a
    place for pictures.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    files: ClassVar[str]
    extra: ClassVar[str | None] = None
    exact: ClassVar[bool] = True
    by_stem: ClassVar[bool] = False
    copies: ClassVar[bool] = False

    def check(self, options: ExportOptions) -> None:  # noqa: B027
        """Raise `OptionError` where this format cannot hold the options' classes."""

    def encode(self, picture: Annotated, options: ExportOptions) -> Encoded:
        """One picture's record and files; pure: equal input gives equal output.

        Raises:
            FormatError: a name that the format cannot hold, layers that are not the options'
                classes, or a picture that is to be copied and is not there or has another size
                than its mask.
        """
        self.check(options)
        content = self._encode(picture, layers_of(picture, options), options)
        record: Record = {
            "name": picture.name,
            "key": self._key(picture),
            "annotations": content.annotations,
            "iou": content.iou,
            "data": content.data,
        }
        if content.overlaps:
            record["overlaps"] = list(content.overlaps)
        return Encoded(record, content.files)

    def assemble(self, records: Iterable[Record], out: Path, options: ExportOptions) -> Written:
        """Join the records into the common files below the folder `out`, each put in place whole.

        Records are taken one by one, in the order that the files shall have.

        Raises:
            FormatError: two pictures share a name (or a stem, where that pairs them).
        """
        self.check(options)
        written, taken = Written(), Taken()

        def counted() -> Iterator[Record]:
            for record in records:
                taken.add(record["key"], record["name"])
                written.count(record)
                yield record

        stream = counted()
        self._assemble(stream, out, options)
        for _ in stream:
            pass  # formats without common files do not ask for the records
        return written

    def write(self, pictures: Iterable[Annotated], out: Path, options: ExportOptions) -> Written:
        """Export pictures below the folder `out`; no more than one is held at a time.

        Raises:
            FormatError: see `encode` and `assemble`; common files are not touched then.
        """
        self.check(options)
        out.mkdir(parents=True, exist_ok=True)
        taken = Taken()
        with Spool(out) as spool:
            for picture in pictures:
                # Before a file of an earlier picture is overwritten.
                taken.add(self._key(picture), picture.name)
                encoded = self.encode(picture, options)
                del picture
                save_files(encoded.files, out)
                spool.add_record(encoded.record)
                del encoded
            return self.assemble(spool.records(), out, options)

    def _key(self, picture: Annotated) -> str:
        """What no two pictures may share."""
        return folded(picture.stem) if self.by_stem else picture.name

    @abstractmethod
    def _encode(
        self, picture: Annotated, layers: Sequence[Layer], options: ExportOptions
    ) -> Content:
        """What the format makes of a picture; `layers` has one for each of the options' `labels`,
        in their order, at least one, cleaned."""

    def _assemble(  # noqa: B027
        self, records: Iterator[Record], out: Path, options: ExportOptions
    ) -> None:
        """Write the common files; none by default."""


def save_files(files: Iterable[File], out: Path) -> None:
    """Write the files of one picture below `out`, each put in place whole. Whoever has written many
    brings them to the disk (`lrpseg.core.files.sync_all`)."""
    for entry in files:
        atomically(out / entry.path, lambda file, data=entry.data: file.write(data), sync=False)  # type: ignore[misc]


def png(image: Image.Image, **options: Any) -> bytes:
    """The image as the bytes of a PNG file, without a date or other metadata."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", **options)
    return buffer.getvalue()


def picture_files(picture: Annotated, path: str, options: ExportOptions) -> tuple[File, ...]:
    """The copy of the picture at `path`, as PNG; nothing where pictures are not to be copied."""
    if not options.copy_pictures:
        return ()
    if picture.image is None:
        raise FormatError(
            f"{picture.name}: the picture is not at hand. Export without copying pictures."
        )
    image = picture.image()
    if image.shape != (*picture.mask.shape, 3) or image.dtype != np.uint8:
        raise FormatError(
            f"{picture.name}: the picture has shape {image.shape} and type {image.dtype}, its mask "
            f"{picture.mask.shape}. Give (height, width, 3) of uint8 and the mask's size."
        )
    return (File(path, png(Image.fromarray(image))),)
