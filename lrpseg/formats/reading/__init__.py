"""Masks that other tools wrote, for use as corrections or as ground truth.

Each reader gives `ReadMask` one by one, with the labels that it finds; `matched` finds the pictures
that they belong to. `Reading` holds what whoever reads may say of the masks.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lrpseg.core.images import SUFFIXES
from lrpseg.core.registry import Registry
from lrpseg.formats.errors import FormatError
from lrpseg.formats.reading.base import PLAIN, OnError, Reading, ReadMask, load_any_json
from lrpseg.formats.reading.coco import read_coco
from lrpseg.formats.reading.kinds import HARMLESS, OTHER_FILE
from lrpseg.formats.reading.label_studio import PNG_NAME, is_label_studio, read_label_studio
from lrpseg.formats.reading.labelme import read_labelme
from lrpseg.formats.reading.matching import check_size, finder, matched
from lrpseg.formats.reading.pngs import read_png, read_pngs

__all__ = [
    "HARMLESS",
    "PLAIN",
    "READERS",
    "ReadMask",
    "Reading",
    "check_size",
    "finder",
    "matched",
    "read_coco",
    "read_label_studio",
    "read_labelme",
    "read_masks",
    "read_png",
    "read_pngs",
]

READERS: Registry[Callable[..., Iterator[ReadMask]]] = Registry("format to read")
"""Readers by name: the folder or file of masks to an iterator of `ReadMask`. Each is called with
`on_error` and with `options`, a `Reading`."""

for _name, _reader in (
    ("png", read_pngs),
    ("coco", read_coco),
    ("labelme", read_labelme),
    ("label-studio", read_label_studio),
):
    READERS.add(_name, _reader)

_ONE_FILE = ("coco", "label-studio")
"""Readers that take one JSON file; of a folder each one is read."""


def read_masks(
    source: Path,
    kind: str | None = None,
    on_error: OnError | None = None,
    options: Reading = PLAIN,
) -> Iterator[ReadMask]:
    """The masks in a folder or a file, by the reader `kind`.

    Without `kind`, JSON files are COCO, labelme or Label Studio by what they hold, and images are
    PNG masks, but for the pictures that those files name; a folder may hold all of them.

    Args:
        on_error: is told of what cannot be read, or is no mask; without it, the first that cannot
            be read ends the reading.
        options: what is known of the masks.

    Raises:
        FormatError: there is nothing that any reader knows.
        OptionError: there is no such reader.
    """
    if kind in _ONE_FILE and source.is_dir():
        documents = sorted(source.rglob("*.json"))
        if not documents:
            raise FormatError(f"{source.name} holds no JSON file: give one, or its folder.")
        for path in documents:
            yield from READERS[kind](path, on_error=on_error, options=options)
        return
    if kind is not None:
        yield from READERS[kind](source, on_error=on_error, options=options)
        return
    files = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
    images = [p for p in files if p.suffix.lower() in SUFFIXES]
    documents = [p for p in files if p.suffix.lower() == ".json" and not _hidden(p, source)]
    if not images and not documents:
        raise FormatError(
            f"{source.name} holds no masks: give PNG, COCO, labelme or Label Studio files."
        )
    _tell_others(files, {*images, *documents}, source, on_error)
    pictures: set[Path] = set()
    for path in documents:
        try:
            found, value = _kind(path)
        except FormatError as error:
            if on_error is None:
                raise
            on_error(path.name, error)
            continue
        if found is None:
            if on_error is None and source.is_file():
                raise FormatError(f"{path} holds no annotations that can be read.", OTHER_FILE)
            if on_error is not None:
                nothing = "It holds no annotations of COCO, labelme or Label Studio."
                on_error(path.name, FormatError(nothing, OTHER_FILE))
            continue
        pictures |= _named(path, found, value)
        if found == "label-studio":  # the PNG files beside it are of the same masks
            pictures |= {image for image in images if PNG_NAME.fullmatch(image.stem)}
        del value
        where = {"root": source} if found == "labelme" and source.is_dir() else {}
        yield from READERS[found](path, on_error=on_error, options=options, **where)
    if not pictures.issuperset(images) or (images and on_error is not None):
        yield from READERS["png"](source, on_error=on_error, options=options, pictures=pictures)


def _tell_others(
    files: list[Path], read: set[Path], source: Path, on_error: OnError | None
) -> None:
    """Tell `on_error` of the files that no reader takes."""
    if on_error is None:
        return
    for path in files:
        if path not in read and not _hidden(path, source):
            what = f"Files ending in {path.suffix}" if path.suffix else "Files without a suffix"
            on_error(path.name, FormatError(f"{what} hold no masks that can be read.", OTHER_FILE))


def _hidden(path: Path, source: Path) -> bool:
    """Whether a file of a folder lies in a hidden one, such as what a run keeps for itself."""
    return path != source and any(p.startswith(".") for p in path.relative_to(source).parts)


def _kind(path: Path) -> tuple[str | None, Any]:
    """The reader of a JSON file, told by what is in it, None for no annotations; and its content.

    Raises `FormatError` where it is no JSON.
    """
    value = load_any_json(path)
    if is_label_studio(value):
        return "label-studio", value
    if not isinstance(value, dict):
        return None, value
    if "images" in value:
        return "coco", value
    return ("labelme" if "shapes" in value else None), value


def _named(path: Path, kind: str, value: Any) -> set[Path]:
    """The picture files that lie where a JSON file says."""
    if kind == "labelme":
        names = [value.get("imagePath")]
    elif kind == "coco" and isinstance(value["images"], list):
        names = [entry.get("file_name") for entry in value["images"] if isinstance(entry, dict)]
    else:
        names = []
    texts = [
        name.replace("\\", "/") for name in names if isinstance(name, str) and "\0" not in name
    ]
    beside = {path.parent / name for name in texts}
    return {Path(*p.parts) for p in beside} | {
        path.with_suffix(suffix) for suffix in (SUFFIXES if kind == "labelme" else ())
    }
