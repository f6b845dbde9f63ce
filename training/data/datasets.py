"""Finds labelled pictures on disk and divides them into splits, by region and never by picture."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lrpseg.core.errors import LrpsegError
from lrpseg.core.registry import Registry

SPLITS = ("train", "val", "test")
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


class DataError(LrpsegError):
    """A folder that does not hold the data it should; the message says what was looked for."""


@dataclass(frozen=True)
class Example:
    """One picture: its label, the physical region it shows, and its mask where there is one."""

    name: str
    image: Path
    damaged: bool
    region: str
    kind: str
    mask: Path | None = None


@dataclass(frozen=True)
class DataSet:
    """Examples by split, with a report of what was found and what was left out and why."""

    name: str
    splits: dict[str, tuple[Example, ...]]
    report: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        lines = [f"Data: {self.name}"]
        for split, examples in self.splits.items():
            kinds = Counter(e.kind for e in examples)
            regions = len({e.region for e in examples if e.damaged})
            listed = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
            lines.append(f"  {split}: {len(examples)} ({listed}; {regions} damaged regions)")
        return "\n".join([*lines, *(f"  left out: {line}" for line in self.report)])


Reader = Callable[[Path, int], DataSet]
READERS: Registry[Reader] = Registry("data set")


def read(name: str, root: Path, seed: int = 0) -> DataSet:
    """The data set `name` at `root`; `seed` decides the splits where the set brings none."""
    if not root.is_dir():
        raise DataError(f"{root} is no folder. Give the folder that holds the data set {name!r}.")
    return READERS[name](root, seed)


# ---------------------------------------------------------------------------------------- tiles

_TILE_NAME = re.compile(r"exp\d+_num_(\d+)$")
_REGION_GAP = 150
_ONE_REGION = range(85602, 88202)  # one crack in fifteen pictures, wider apart than the gap
TILE_CLASSES = ("Free", "Crack", "Blowhole")


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


def read_magnetic_tile(root: Path, seed: int = 0, classes: Sequence[str] = TILE_CLASSES) -> DataSet:
    """The magnetic-tile set as published (`MT_<class>/Imgs/exp<k>_num_<n>.jpg`, mask as .png).

    Splits and regions come from `split.json` where there is one, else from the names and `seed`.
    """
    found: dict[str, Example] = {}
    report = []
    for kind in classes:
        folder = root / f"MT_{kind}" / "Imgs"
        if not folder.is_dir():
            raise DataError(f"{folder} is missing. {root} should hold MT_{kind}/Imgs/*.jpg.")
        for image in sorted(p for p in folder.iterdir() if p.suffix.lower() == ".jpg"):
            mask = image.with_suffix(".png")
            if kind != "Free" and not mask.is_file():
                report.append(f"{image.name}: damaged, but {mask.name} is missing")
                continue
            name = image.relative_to(root).as_posix()
            found[name] = Example(
                name, image, kind != "Free", "", kind.lower(), mask if mask.is_file() else None
            )
    return _with_splits("magnetic-tile", found, root, seed, report, lambda: tile_regions(found))


# ------------------------------------------------------------------------------------- concrete


def read_concrete_crack(root: Path, seed: int = 0) -> DataSet:
    """The concrete patches (`images/`, `masks/`); labels and splits come from `split.json`."""
    path = root / "split.json"
    if not path.is_file():
        raise DataError(f"{path} is missing: it holds the labels of the concrete set.")
    labels = json.loads(path.read_text()).get("labels")
    if not isinstance(labels, dict):
        raise DataError(f"{path} has no labels: it should hold 'labels' (1 = crack) by file name.")
    found: dict[str, Example] = {}
    report = []
    for image in _pictures(root / "images"):
        mask = root / "masks" / f"{image.stem}.png"
        if image.name not in labels:
            report.append(f"{image.name}: has no label in split.json")
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
    return _with_splits("concrete-crack", found, root, seed, report, lambda: {n: n for n in found})


# --------------------------------------------------------------------------------- a user's own


def read_folder(root: Path, seed: int = 0) -> DataSet:
    """A user's own folder: `damaged/`, `intact/`, and optionally `masks/`.

    The mask of `damaged/a/1.jpg` is `masks/a/1.png`, or `masks/1.png` where no other damaged
    picture is called 1.

    Pictures in one sub-folder of `damaged/` or `intact/` show one region and stay in one split;
    pictures directly in them are regions of their own. `split.json` (`{"splits": {...}}`, names
    relative to `root`) overrides the splits that `seed` draws (60/20/20).
    """
    found: dict[str, Example] = {}
    report = []
    folder = root / "masks"
    drawn = _pictures(folder) if folder.is_dir() else []
    masks = {p.relative_to(folder).with_suffix(""): p for p in drawn}
    for kind in ("damaged", "intact"):
        pictures = _pictures(root / kind)
        if not pictures:
            raise DataError(f"{root / kind} holds no pictures ({', '.join(sorted(SUFFIXES))}).")
        stems = Counter(p.stem for p in pictures)
        for image in pictures:
            name = image.relative_to(root).as_posix()
            inside = image.relative_to(root / kind)
            region = name if len(inside.parts) == 1 else f"{kind}/{inside.parts[0]}"
            mask = masks.get(inside.with_suffix("")) if kind == "damaged" else None
            if mask is None and kind == "damaged" and stems[image.stem] == 1:
                mask = masks.get(Path(image.stem))
            if masks and kind == "damaged" and mask is None:
                report.append(f"{name}: has no mask (the picture itself is used)")
            found[name] = Example(name, image, kind == "damaged", region, kind, mask)
    regions = {name: e.region for name, e in found.items()}
    return _with_splits(root.name, found, root, seed, report, lambda: regions)


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder} is missing.")
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)


def _with_splits(
    name: str,
    found: dict[str, Example],
    root: Path,
    seed: int,
    report: list[str],
    regions_by_name: Callable[[], dict[str, str]],
) -> DataSet:
    path = root / "split.json"
    plan = json.loads(path.read_text()) if path.is_file() else {}
    regions = {**regions_by_name(), **plan.get("regions", {})}
    placed = {n: replace(e, region=regions[n]) for n, e in found.items()}
    if "splits" not in plan:
        return DataSet(name, split_by_region(placed.values(), seed), tuple(report))
    splits: dict[str, tuple[Example, ...]] = {}
    for split, names in plan["splits"].items():
        wanted = list(dict.fromkeys(names))
        here = [n for n in wanted if n in placed]
        splits[split] = tuple(placed.pop(n) for n in here)
        if len(here) < len(wanted):
            report.append(
                f"{len(wanted) - len(here)} of {len(wanted)} names in {split} are not here"
            )
    if placed:
        report.append(f"{len(placed)} pictures are in no split of split.json")
    return DataSet(name, splits, tuple(report))


def split_by_region(
    examples: Iterable[Example], seed: int = 0, shares: Sequence[float] = (0.6, 0.2, 0.2)
) -> dict[str, tuple[Example, ...]]:
    """Divide into train, val and test so that no region is in two, for each kind alike (paper 3.4).

    Regions are shuffled with `seed` and dealt out to the split that lacks most pictures. A region
    with pictures of several kinds goes with its damaged kind.
    """
    by_region: dict[str, list[Example]] = {}
    for example in sorted(examples, key=lambda e: e.name):
        by_region.setdefault(example.region, []).append(example)
    kinds: dict[str, list[list[Example]]] = {}
    for members in by_region.values():
        kind = sorted(members, key=lambda e: (not e.damaged, e.kind))[0].kind
        kinds.setdefault(kind, []).append(members)
    random = np.random.default_rng(seed)
    splits: dict[str, list[Example]] = {split: [] for split in SPLITS}
    for kind in sorted(kinds):
        regions = kinds[kind]
        total = sum(map(len, regions))
        counts = dict.fromkeys(SPLITS, 0)
        # Large regions first: the small ones then even out what those upset.
        order = sorted(random.permutation(len(regions)), key=lambda i: -len(regions[i]))
        for index in order:
            lacking = {
                s: share * total - counts[s] for s, share in zip(SPLITS, shares, strict=True)
            }
            split = max(SPLITS, key=lambda s: lacking[s])
            splits[split] += regions[index]
            counts[split] += len(regions[index])
    return {split: tuple(members) for split, members in splits.items()}


READERS.add("magnetic-tile", read_magnetic_tile)
READERS.add("concrete-crack", read_concrete_crack)
READERS.add("folder", read_folder)
