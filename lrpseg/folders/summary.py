"""A page to look at a run: thumbnails with probabilities, the least certain pictures, settings."""

import heapq
import html
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lrpseg.folders.block import Row
from lrpseg.render import save_text

SHOWN = 500
"""Thumbnails in each of the two lists: a page of millions would open in no browser."""

_STYLE = """
:root { color-scheme: light dark; font: 14px/1.4 system-ui, sans-serif; }
body { margin: 24px; max-width: 1400px; }
h1 { font-size: 20px; } h2 { font-size: 16px; margin-top: 28px; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 10px; }
figure { margin: 0; } figure img { width: 100%; height: 120px; object-fit: contain;
  background: #24272b; border-radius: 4px; }
figcaption { font-size: 12px; overflow-wrap: anywhere; }
.bar { height: 5px; background: #8884; border-radius: 3px; } .bar i { display: block; height: 5px;
  background: #D55E00; border-radius: 3px; }
table { border-collapse: collapse; } td, th { text-align: left; padding: 2px 14px 2px 0;
  vertical-align: top; }
"""


def write_summary(rows: Iterable[Row], report: dict[str, Any], out: Path) -> None:
    """Write OUT/index.html: the least certain pictures first, then the first ones by name."""
    first: list[Row] = []
    doubtful: list[tuple[float, int, Row]] = []
    for row in rows:
        if row["status"] == "failed":
            continue
        slim = {k: row[k] for k in ("position", "name", "status", "probability", "pixels")}
        if len(first) < SHOWN:
            first.append(slim)
        certainty = abs(row["probability"] - 0.5)
        entry = (-certainty, -row["position"], slim)
        if len(doubtful) < SHOWN:
            heapq.heappush(doubtful, entry)
        else:
            heapq.heappushpop(doubtful, entry)
    least = [row for _, _, row in sorted(doubtful, key=lambda e: (-e[0], -e[1]))]
    settings = report["settings"]
    choices = "".join(
        f"<tr><th>{html.escape(str(k))}</th><td>{html.escape(_words(v))}</td></tr>"
        for k, v in settings.items()
    )
    failed = "".join(
        f"<li>{html.escape(f['name'])}: {html.escape(f['reason'])}</li>" for f in report["failed"]
    )
    counts = (
        f"{report['pictures']:,} pictures: {report['damaged']:,} damaged, {report['intact']:,} "
        f"intact, {report['failures']:,} could not be read."
    )
    kept = "".join(
        f"<li>{html.escape(name)}: {w['images']:,} pictures, {w['annotations']:,} annotations"
        + (
            ""
            if w["lowest_iou_kept"] == 1
            else f", not exact: mean IoU {w['mean_iou_kept']:.4f}, "
            f"lowest {w['lowest_iou_kept']:.4f}"
        )
        + "</li>"
        for name, w in report["formats"].items()
    )
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>lrpseg</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{counts}</h1><ul>{kept}</ul>"
        + (f"<h2>Could not be read</h2><ul>{failed}</ul>" if failed else "")
        + f"<h2>Least certain first</h2>{_grid(least, report)}"
        + f"<h2>In order</h2>{_grid(first, report)}"
        + f"<h2>Settings</h2><table>{choices}</table></html>\n"
    )
    save_text(page, out / "index.html")


def _grid(rows: list[Row], report: dict[str, Any]) -> str:
    hidden = report["settings"]["only_damaged"]
    cells = []
    for row in rows:
        p = row["probability"]
        picture = (
            ""
            if hidden and row["status"] == "intact"
            else f'<img loading="lazy" alt="" src="summary/{row["position"]:09}.jpg">'
        )
        cells.append(
            f"<figure>{picture}<figcaption>{html.escape(row['name'])}<br>{row['status']}, "
            f"p = {p:.3f}, {row['pixels']:,} px<div class=bar><i style='width:{100 * p:.0f}%'></i>"
            "</div></figcaption></figure>"
        )
    more = report["pictures"] - report["failures"] - len(rows)
    note = f"<p>and {more:,} more, see pictures.jsonl</p>" if more > 0 else ""
    return f'<div class="grid">{"".join(cells)}</div>{note}'


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
