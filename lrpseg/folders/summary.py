"""A page to look at a run: thumbnails with probabilities, the least certain pictures, settings.

What it looks like is `summary.html`, a Jinja template that escapes what it is given.
"""

import heapq
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lrpseg.folders.block import Row
from lrpseg.formats.written import overlap_words
from lrpseg.masks.render import save_text

SHOWN = 500
"""Thumbnails in each of the two lists: a page of millions would open in no browser."""

TEMPLATE = "summary.html"


def write_summary(rows: Iterable[Row], report: Mapping[str, Any], out: Path) -> None:
    """Write OUT/index.html: the least certain pictures first, then the first ones by name.

    rows: of all pictures, as `lrpseg.folders.block.annotate_block` gives them; taken one by one.
    report: what `report.json` holds.
    """
    save_text(summary_page(rows, report), out / "index.html")


def summary_page(rows: Iterable[Row], report: Mapping[str, Any]) -> str:
    """The same as HTML."""
    listed = _list(rows)
    heading = (
        f"{report['pictures']:,} pictures: {report['damaged']:,} damaged, {report['intact']:,} "
        f"intact, {report['failures']:,} could not be read"
    )
    counts = [(report[key], key) for key in ("pictures", "damaged", "intact")]
    options = report["settings"]["options"]
    return (
        _environment()
        .get_template(TEMPLATE)
        .render(
            heading=heading,
            report={"left_out": {}, "read": {}, **report},
            counts=[*counts, (report["failures"], "could not be read")],
            first=listed.first,
            least=listed.least,
            classes=listed.classes,
            colours={c["name"]: _colour(c["colour"]) for c in options.get("classes", ())},
            settings={k: v for k, v in report["settings"].items() if k != "options"} | options,
        )
    )


@dataclass
class _Listed:
    """What is shown of all pictures. classes: of each, where there are several, the pictures with
    a mask of it and the pixels of all of them."""

    first: list[Row] = field(default_factory=list)
    least: list[Row] = field(default_factory=list)
    classes: dict[str, dict[str, int]] = field(default_factory=dict)


def _list(rows: Iterable[Row]) -> _Listed:
    """Choose what is shown, in one pass: there may be millions of rows."""
    listed = _Listed()
    doubtful: list[tuple[float, int, Row]] = []
    for row in rows:
        if row["status"] == "failed":
            continue
        slim = {k: row[k] for k in ("position", "name", "status", "probability", "pixels")}
        slim["classes"] = row.get("classes", {})
        slim["doubtful"] = row.get("doubtful", False)
        for name, found in slim["classes"].items():
            total = listed.classes.setdefault(name, {"pictures": 0, "pixels": 0})
            total["pictures"] += found["pixels"] > 0
            total["pixels"] += found["pixels"]
        if len(listed.first) < SHOWN:
            listed.first.append(slim)
        certain = abs(row["probability"] - 0.5) - slim["doubtful"]
        entry = (-certain, -row["position"], slim)
        if len(doubtful) < SHOWN:
            heapq.heappush(doubtful, entry)
        else:
            heapq.heappushpop(doubtful, entry)
    listed.least = [row for _, _, row in sorted(doubtful, key=lambda e: (-e[0], -e[1]))]
    return listed


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": "{:,}".format, "kept": _kept, "words": _words}
    return environment


def _kept(written: Mapping[str, Any]) -> str:
    """What a format kept of the masks, and what classes that overlap cost."""
    lowest = written["lowest_iou_kept"]
    kept = "every pixel" if lowest == 1 else (
        f"IoU {written['mean_iou_kept']:.4f} on average, {lowest:.4f} at least"
    )  # fmt: skip
    overlaps = (overlap_words(entry) for entry in written.get("overlaps", ()))
    return "; ".join([kept, *overlaps, *written.get("notes", ())])


def _words(value: Any) -> str:
    """A setting's value for people."""
    if value is None:
        return "chosen for each picture"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(e["name"] if isinstance(e, dict) else str(e) for e in value)
    if isinstance(value, dict):  # a threshold for each class
        return ", ".join(f"{name}: {_words(of_it)}" for name, of_it in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _colour(rgb: Iterable[int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)
