"""Readers of data sets: each finds the labelled pictures of one layout on disk."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lrpseg.core.registry import Registry
from training.data.datasets import DataError, DataSet, Example, with_splits

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class DataPlan:
    """How a domain's pictures are read: what its `data.toml` says.

    reader: a name in `READERS`. splits: name of the file beside the pictures that says which are in
    which split. classes: class of the domain by the folder that holds its pictures, where the
    domain has several classes; empty: all damage is one class.
    """

    reader: str = "folder"
    splits: str = "split.json"
    classes: Mapping[str, str] = field(default_factory=dict)

    def read(self, root: Path, seed: int = 0) -> DataSet:
        """The data set at `root`; `seed` decides the splits where the set brings none.

        Raises `DataError` where it is not there, or is of another layout.
        """
        if not root.is_dir():
            raise DataError(
                f"{root} is no folder. Give the folder that holds the data set {self.reader!r}."
            )
        return READERS[self.reader](root, self, seed)


Reader = Callable[[Path, DataPlan, int], DataSet]
READERS: Registry[Reader] = Registry("data set")


def read(name: str, root: Path, seed: int = 0) -> DataSet:
    """The data set at `root` by the reader `name`, all damage one class; see `DataPlan.read`."""
    return DataPlan(name).read(root, seed)


# ---------------------------------------------------------------------------------------- tiles

_TILE_NAME = re.compile(r"exp\d+_num_(\d+)$")
_REGION_GAP = 150
_ONE_REGION = range(85602, 88202)  # one crack in fifteen pictures, wider apart than the gap
TILE_CLASSES = ("Free", "Crack", "Blowhole")
MORE_TILE_CLASSES = ("Break", "Fray", "Uneven")


def tile_regions(names: Iterable[str]) -> dict[str, str]:
    """Region id by name, from the numbers in the names of the published magnetic-tile set.

    One region was photographed up to six times; numbers at most 150 apart, over all of the given
    names sorted together, belong to one region. The rule needs the names of Free, Crack and
    Blowhole together.
    """
    numbered = []
    for name in names:
        match = _TILE_NAME.search(Path(name).stem)
        if match is None:
            raise DataError(f"{name}: a tile is named exp<k>_num_<n>.jpg.")
        numbered.append((int(match.group(1)), name))
    regions: dict[str, str] = {}
    previous: int | None = None
    region = ""
    for number, name in sorted(numbered):
        same = previous is not None and (
            number - previous <= _REGION_GAP or (number in _ONE_REGION and previous in _ONE_REGION)
        )
        if not same:
            region = f"r{number:06d}"
        regions[name] = region
        previous = number
    return regions


def read_magnetic_tile(root: Path, plan: DataPlan, seed: int = 0) -> DataSet:
    """The magnetic-tile set as published (`MT_<kind>/Imgs/exp<k>_num_<n>.jpg`, mask as .png).

    Splits and regions come from the plan's file where there is one, else from the names and `seed`.
    With classes in the plan, `MT_Free` is intact and each kind that it names is of that class.
    """
    kinds = ("Free", *plan.classes) if plan.classes else TILE_CLASSES
    found, report = _tiles(root, plan, kinds)
    return with_splits(
        "magnetic-tile", found, root / plan.splits, seed, report, lambda: tile_regions(found)
    )


def read_magnetic_tile_more(root: Path, plan: DataPlan, seed: int = 0) -> DataSet:
    """The other damage kinds of the set (Break, Fray, Uneven), by themselves.

    The rule of regions needs the names of all kinds, so that the plan's file has to hold both
    splits and regions.
    """
    path = root / plan.splits
    if not path.is_file():
        raise DataError(f"{path} is missing: it holds splits and regions of these pictures.")
    found, report = _tiles(root, plan, MORE_TILE_CLASSES)
    return with_splits("magnetic-tile-more", found, path, seed, report, dict)


def _tiles(
    root: Path, plan: DataPlan, kinds: Iterable[str]
) -> tuple[dict[str, Example], list[str]]:
    """Examples of some kinds of tiles by name, and what was left out and why."""
    found: dict[str, Example] = {}
    report = []
    for kind in kinds:
        folder = root / f"MT_{kind}" / "Imgs"
        if not folder.is_dir():
            raise DataError(f"{folder} is missing. {root} should hold MT_{kind}/Imgs/*.jpg.")
        for image in sorted(p for p in folder.iterdir() if p.suffix.lower() == ".jpg"):
            mask = image.with_suffix(".png")
            if kind != "Free" and not mask.is_file():
                report.append(f"{image.name}: damaged, but {mask.name} is missing")
                continue
            name = image.relative_to(root).as_posix()
            shown = (plan.classes[kind],) if kind in plan.classes else ()
            found[name] = Example(
                name,
                image,
                kind != "Free",
                "",
                kind.lower(),
                mask if mask.is_file() else None,
                shown,
                tuple((c, mask) for c in shown),
            )
    return found, report


# ------------------------------------------------------------------------------------- concrete


def read_concrete_crack(root: Path, plan: DataPlan, seed: int = 0) -> DataSet:
    """The concrete patches (`images/`, `masks/`); labels and splits come from the plan's file."""
    path = root / plan.splits
    if not path.is_file():
        raise DataError(f"{path} is missing: it holds the labels of the concrete set.")
    if plan.classes:
        raise DataError("The reader 'concrete-crack' tells no classes apart: use 'folder'.")
    labels = json.loads(path.read_text("utf-8")).get("labels")
    if not isinstance(labels, dict):
        raise DataError(f"{path} has no labels: it should hold 'labels' (1 = crack) by file name.")
    found: dict[str, Example] = {}
    report = []
    for image in _pictures(root / "images"):
        mask = root / "masks" / f"{image.stem}.png"
        if image.name not in labels:
            report.append(f"{image.name}: has no label in {path.name}")
            continue
        damaged = bool(labels[image.name])
        if damaged and not mask.is_file():
            report.append(f"{image.name}: damaged, but masks/{mask.name} is missing")
            continue
        found[image.name] = Example(
            image.name,
            image,
            damaged,
            image.name,
            "crack" if damaged else "intact",
            mask if damaged else None,
        )
    return with_splits("concrete-crack", found, path, seed, report, lambda: {n: n for n in found})


# --------------------------------------------------------------------------------- a user's own


def read_folder(root: Path, plan: DataPlan, seed: int = 0) -> DataSet:
    """A user's own folder: `damaged/`, `intact/`, and optionally `masks/`.

    The mask of `damaged/a/1.jpg` is `masks/a/1.png`, or `masks/1.png` where no other damaged
    picture is called 1.

    Pictures in one sub-folder of `damaged/` or `intact/` show one region and stay in one split;
    pictures directly in them are regions of their own. The plan's file (`{"splits": {...}}`, names
    relative to `root`) overrides the splits that `seed` draws (60/20/20).

    With classes in the plan, `read_class_folders`.
    """
    if plan.classes:
        return read_class_folders(root, plan, seed)
    found: dict[str, Example] = {}
    report = []
    folder = root / "masks"
    masks = _by_stem(folder)
    for kind in ("damaged", "intact"):
        pictures = _some(root / kind)
        stems = Counter(p.stem for p in pictures)
        for image in pictures:
            name = image.relative_to(root).as_posix()
            inside = image.relative_to(root / kind)
            mask = _mask_of(inside, masks, stems) if kind == "damaged" else None
            if masks and kind == "damaged" and mask is None:
                report.append(f"{name}: has no mask (the picture itself is used)")
            region = _region(kind, inside, name)
            found[name] = Example(name, image, kind == "damaged", region, kind, mask)
    regions = {name: e.region for name, e in found.items()}
    return with_splits(root.name, found, root / plan.splits, seed, report, lambda: regions)


def read_class_folders(root: Path, plan: DataPlan, seed: int = 0) -> DataSet:
    """A user's own folder of several classes: one folder for each, `intact/`, and optionally
    `masks/FOLDER/`.

    A picture that shows several classes lies in the folder of each, under the same name. Masks are
    found as those of `read_folder`, and so are regions; sub-folders of the same name in two classes
    are one region. In the file of splits a picture may be named by any of its places.
    """
    found: dict[str, Example] = {}
    first: dict[Path, str] = {}  # the name of each damaged picture, by its place in a class folder
    aliases: dict[str, str] = {}
    report = []
    for folder, kind in plan.classes.items():
        pictures = _some(root / folder)
        masks = _by_stem(root / "masks" / folder)
        stems = Counter(p.stem for p in pictures)
        for image in pictures:
            inside = image.relative_to(root / folder)
            place = image.relative_to(root).as_posix()
            name = first.setdefault(inside, place)
            aliases[place] = name
            known = found.get(name)
            if known is not None and known.image.read_bytes() != image.read_bytes():
                raise DataError(
                    f"{known.image} and {image} are two pictures of one name. One picture of two "
                    "classes lies in both folders, as it is; call two pictures differently."
                )
            mask = _mask_of(inside, masks, stems)
            if masks and mask is None:
                report.append(f"{place}: has no mask (the picture itself is used)")
            shown = dict.fromkeys((*(known.classes if known else ()), kind))
            drawn = (*(known.masks if known else ()), *([(kind, mask)] if mask else []))
            found[name] = Example(
                name,
                known.image if known else image,
                True,
                _region("damaged", inside, name),
                " and ".join(shown),
                None,
                tuple(shown),
                drawn,
            )
    for image in _some(root / "intact"):
        name = image.relative_to(root).as_posix()
        region = _region("intact", image.relative_to(root / "intact"), name)
        found[name] = Example(name, image, False, region, "intact")
    regions = {name: e.region for name, e in found.items()}
    return with_splits(root.name, found, root / plan.splits, seed, report, lambda: regions, aliases)


def _some(folder: Path) -> Sequence[Path]:
    pictures = _pictures(folder)
    if not pictures:
        raise DataError(f"{folder} holds no pictures ({', '.join(sorted(SUFFIXES))}).")
    return pictures


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder} is missing.")
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)


def _by_stem(folder: Path) -> dict[Path, Path]:
    drawn = _pictures(folder) if folder.is_dir() else []
    return {p.relative_to(folder).with_suffix(""): p for p in drawn}


def _mask_of(inside: Path, masks: Mapping[Path, Path], stems: Mapping[str, int]) -> Path | None:
    mask = masks.get(inside.with_suffix(""))
    return masks.get(Path(inside.stem)) if mask is None and stems[inside.stem] == 1 else mask


def _region(kind: str, inside: Path, name: str) -> str:
    return name if len(inside.parts) == 1 else f"{kind}/{inside.parts[0]}"


READERS.add("magnetic-tile", read_magnetic_tile)
READERS.add("magnetic-tile-more", read_magnetic_tile_more)
READERS.add("concrete-crack", read_concrete_crack)
READERS.add("folder", read_folder)
