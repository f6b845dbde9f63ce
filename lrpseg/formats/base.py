"""What all formats share: a picture with its mask, options, and the three steps of an export.

An export encodes each picture into a small record (`Format.encode`, pure), writes the files that
belong to it alone (`save_files`), and joins the records into the format's common files
(`Format.assemble`). `Format.write` does the three for an iterator. A parallel or resumed run calls
them itself: it encodes each picture once, wherever and in whatever order, keeps the records as
JSON, and assembles them at the end in the order of the pictures, with the same bytes.
"""

import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lrpseg.core.errors import OptionError
from lrpseg.core.files import atomically
from lrpseg.formats.errors import FormatError
from lrpseg.formats.names import Taken, check_name, folded, stem_of
from lrpseg.formats.parts import Mask
from lrpseg.formats.stream import Record, Spool
from lrpseg.masks.corrections import clean
from lrpseg.version import __version__

if TYPE_CHECKING:  # it brings PyTorch along, which no format needs
    from lrpseg.domains import Domain


@dataclass(frozen=True, eq=False)
class Annotated:
    """One picture with its mask, as an export takes it.

    name: relative POSIX path of the picture with its suffix, no two alike. mask: (H, W) bool.
    probability: of damage, 0 to 1. image: gives (H, W, 3) uint8, upright; only called where
    pictures are copied. stem: name without suffix for formats that pair a file with its picture by
    stem; where two pictures share one, take those of `unique_stems`. settings: scalars that say
    where the mask comes from, for formats that have a place for them.
    """

    name: str
    mask: Mask
    probability: float | None = None
    image: Callable[[], NDArray[np.uint8]] | None = None
    stem: str = ""
    settings: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name)
        object.__setattr__(self, "stem", check_name(self.stem) if self.stem else stem_of(self.name))
        if self.mask.dtype != np.bool_ or self.mask.ndim != 2 or not self.mask.size:
            raise FormatError(
                f"{self.name}: the mask has shape {self.mask.shape} and type {self.mask.dtype}. "
                "Give (height, width) of bool, of one pixel at least."
            )
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise FormatError(f"{self.name}: a probability is 0 to 1, not {self.probability}.")


@dataclass(frozen=True)
class ExportOptions:
    """How masks are exported.

    per_component: one annotation for each 8-connected component, else one for each mask (polygons
    are one for each component in any case). min_area: components of fewer pixels are left out.
    label: class name of damage. image_url: where Label Studio finds a picture; `{name}` stands for
    its name, quoted for URLs. copy_pictures: lay the upright pictures beside the annotations, as
    PNG, where the format has a place for them. model_version: what Label Studio shows.
    """

    per_component: bool = False
    min_area: int = 0
    label: str = "damage"
    image_url: str = "/data/local-files/?d={name}"
    copy_pictures: bool = False
    model_version: str = f"lrpseg-{__version__}"

    def __post_init__(self) -> None:
        if (
            not self.label.strip()
            or not self.label.isprintable()
            or self.label != self.label.strip()
        ):
            raise OptionError(
                f"{self.label!r} cannot be a class name. Give printable text without spaces around."
            )
        if self.min_area < 0:
            raise OptionError(f"The minimum area is 0 pixels or more; {self.min_area} was given.")
        if "{name}" not in self.image_url or not self.image_url.isprintable():
            raise OptionError(
                f"The image URL {self.image_url!r} lacks {{name}}, which stands for the picture."
            )

    @classmethod
    def of(cls, domain: "Domain", **changes: Any) -> "ExportOptions":
        """Options with the domain's name of damage as the label, unless `changes` has another."""
        return cls(**{"label": domain.classes[0].name, **changes})


@dataclass
class Written:
    """What an export holds. kept_iou and lowest_iou: mean and lowest intersection over union of
    what the files hold and the masks (after `min_area`), 1 for exact formats. worst: names and IoU
    of up to ten pictures that were not kept exactly, the worst first."""

    images: int = 0
    annotations: int = 0
    kept_iou: float = 1.0
    lowest_iou: float = 1.0
    worst: list[tuple[str, float]] = field(default_factory=list)
    _sum: float = field(default=0.0, repr=False)

    def count(self, record: Record) -> None:
        """Take in one picture's record."""
        kept = float(record["iou"])
        self.images += 1
        self.annotations += int(record["annotations"])
        self._sum += kept
        self.kept_iou = self._sum / self.images
        self.lowest_iou = min(self.lowest_iou, kept)
        if kept < 1:
            self.worst = sorted([*self.worst, (record["name"], kept)], key=lambda w: (w[1], w[0]))[
                :10
            ]

    def as_json(self) -> dict[str, Any]:
        """The same as JSON types, for reports."""
        return {
            "images": self.images,
            "annotations": self.annotations,
            "mean_iou_kept": self.kept_iou,
            "lowest_iou_kept": self.lowest_iou,
            "not_exact": [{"name": n, "iou": iou} for n, iou in self.worst],
        }


@dataclass(frozen=True)
class File:
    """A file of one picture: its path below the export's folder, and its bytes."""

    path: str
    data: bytes


@dataclass(frozen=True)
class Content:
    """What a format makes of one picture: `data` goes into the record and is made of JSON types."""

    annotations: int
    data: Any = None
    files: tuple[File, ...] = ()
    iou: float = 1.0


@dataclass(frozen=True)
class Encoded:
    """One picture, encoded: its record (JSON types only) for `assemble`, and its own files."""

    record: Record
    files: tuple[File, ...]


class Format(ABC):
    """One format. Subclasses declare what it is and implement `_encode` and `_assemble`.

    extra: the pip extra that it needs, or None. exact: whether every pixel survives by the format's
    own definition. files: what is written below the folder of an export. by_stem: whether files are
    paired with pictures by name without suffix. copies: whether it has a place for pictures.
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
        """Raise `OptionError` where this format cannot hold the options' label."""

    def encode(self, picture: Annotated, options: ExportOptions) -> Encoded:
        """One picture's record and files; pure: equal input gives equal output.

        Raises:
            FormatError: a name that the format cannot hold, or a picture that is to be copied and
                is not there or has another size than its mask.
        """
        self.check(options)
        wanted = clean(picture.mask, options.min_area)
        content = self._encode(picture, wanted, options)
        record = {
            "name": picture.name,
            "key": self._key(picture),
            "annotations": content.annotations,
            "iou": content.iou,
            "data": content.data,
        }
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
    def _encode(self, picture: Annotated, mask: Mask, options: ExportOptions) -> Content:
        """What the format makes of a picture, whose cleaned mask is `mask`."""

    def _assemble(  # noqa: B027
        self, records: Iterator[Record], out: Path, options: ExportOptions
    ) -> None:
        """Write the common files; none by default."""


def save_files(files: Iterable[File], out: Path) -> None:
    """Write the files of one picture below `out`, each put in place whole."""
    for entry in files:
        atomically(out / entry.path, lambda file, data=entry.data: file.write(data))  # type: ignore[misc]


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
