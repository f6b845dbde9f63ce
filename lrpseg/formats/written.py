"""What an export holds: counts, what it keeps, and what overlapping classes cost."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lrpseg.formats.stream import Record

_WORST = 10


@dataclass(frozen=True)
class Overlap:
    """Pixels of two classes that a format gave to one of them, in all pictures together."""

    winner: str
    loser: str
    pixels: int
    pictures: int


@dataclass
class Written:
    """What an export holds.

    kept_iou and lowest_iou: mean and lowest intersection over union of what the files hold and the
    masks (after `min_area`), all classes of a picture together; 1 for exact formats. worst: names
    and IoU of up to ten pictures that were not kept exactly, the worst first. overlaps: pixels that
    a format took from one class for another, the most first. notes: sentences on what the tool
    would do with the files.
    """

    images: int = 0
    annotations: int = 0
    kept_iou: float = 1.0
    lowest_iou: float = 1.0
    worst: list[tuple[str, float]] = field(default_factory=list)
    overlaps: list[Overlap] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
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
                :_WORST
            ]
        if record.get("overlaps"):
            self.overlaps = _added(self.overlaps, record["overlaps"])

    def won(self) -> list[str]:
        """What overlapping classes cost, in words for people."""
        return [overlap_words(asdict(entry)) for entry in self.overlaps]

    def as_json(self) -> dict[str, Any]:
        """The same as JSON types, for reports."""
        return {
            "images": self.images,
            "annotations": self.annotations,
            "mean_iou_kept": self.kept_iou,
            "lowest_iou_kept": self.lowest_iou,
            "not_exact": [{"name": n, "iou": iou} for n, iou in self.worst],
            "overlaps": [asdict(entry) for entry in self.overlaps],
            **({"notes": self.notes} if self.notes else {}),
        }

    def __str__(self) -> str:
        """One line: "3 images, 5 annotations", and what was lost."""
        told = [f"{self.images} images, {self.annotations} annotations"]
        if self.lowest_iou < 1:
            told.append(f"not exact: mean IoU {self.kept_iou:.4f}, lowest {self.lowest_iou:.4f}")
        return "; ".join(told + self.won() + self.notes)


def overlap_words(entry: Mapping[str, Any]) -> str:
    """One of a report's `overlaps` in words: "crack won over break in 4 pixels of 2 pictures"."""
    pixels, pictures = entry["pixels"], entry["pictures"]
    return (
        f"{entry['winner']} won over {entry['loser']} in {pixels:,} pixel{'s'[: pixels != 1]} "
        f"of {pictures:,} picture{'s'[: pictures != 1]}"
    )


def _added(overlaps: list[Overlap], more: Iterable[dict[str, Any]]) -> list[Overlap]:
    """With those of one more picture."""
    found = {(entry.winner, entry.loser): entry for entry in overlaps}
    for entry in more:
        pair = entry["winner"], entry["loser"]
        before = found.get(pair, Overlap(*pair, 0, 0))
        found[pair] = Overlap(*pair, before.pixels + entry["pixels"], before.pictures + 1)
    return sorted(found.values(), key=lambda entry: (-entry.pixels, entry.winner, entry.loser))
