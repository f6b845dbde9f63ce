"""A page to look at a run: thumbnails with probabilities, the least certain pictures, settings."""

import heapq
import html
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lrpseg.folders.block import Row
from lrpseg.formats.written import overlap_words
from lrpseg.masks.render import save_text

SHOWN = 500
"""Thumbnails in each of the two lists: a page of millions would open in no browser."""

_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1b1f24, #e8eaed);
  --soft: light-dark(#5b6470, #9aa3ae); --line: light-dark(#dfe3e8, #363c44);
  --card: light-dark(#fff, #1e2227); --damage: light-dark(#b54a00, #ff9d5c);
  --accent: light-dark(#0072b2, #56b4e9);
  font: 14px/1.45 system-ui, sans-serif; color: var(--ink);
  background: light-dark(#f5f6f8, #15181c); }
body { margin: 0 auto; padding: 28px 24px 60px; max-width: 1440px; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 16px; margin: 32px 0 10px; }
p, ul { margin: 4px 0; } .soft, figcaption small { color: var(--soft); }
code { background: var(--card); border: 1px solid var(--line); border-radius: 4px; padding: 1px 5px;
  overflow-wrap: anywhere; }
.counts { display: flex; flex-wrap: wrap; gap: 12px; margin: 18px 0; }
.counts div { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 10px 18px; min-width: 90px; }
.counts b { display: block; font-size: 24px; font-variant-numeric: tabular-nums; }
.tabs > input { position: absolute; opacity: 0; }
.tabs > label { display: inline-block; padding: 6px 14px; border: 1px solid var(--line);
  border-radius: 16px; cursor: pointer; margin: 0 6px 14px 0; background: var(--card); }
.tabs > input:checked + label { background: var(--accent); border-color: var(--accent);
  color: light-dark(#fff, #0b1015); }
.tabs > input:focus-visible + label { outline: 2px solid var(--ink); outline-offset: 2px; }
.tabs > section { display: none; }
#least:checked ~ .least, #order:checked ~ .order { display: block; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(172px, 1fr)); gap: 12px; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  overflow: hidden; }
figure img, .none { display: block; width: 100%; height: 150px; object-fit: contain;
  background: #24272b; }
figcaption { padding: 8px 10px 10px; font-size: 13px; }
figcaption b { display: block; font-weight: 600; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; }
.line { display: flex; justify-content: space-between; gap: 8px;
  font-variant-numeric: tabular-nums; }
.damaged { color: var(--damage); font-weight: 600; }
.bar { height: 4px; background: var(--line); border-radius: 2px; margin: 6px 0 4px; }
.bar i { display: block; height: 4px; background: var(--damage); border-radius: 2px; }
table { border-collapse: collapse; } td, th { text-align: left; padding: 4px 24px 4px 0;
  vertical-align: top; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { font-weight: 500; color: var(--soft); white-space: nowrap; }
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
    failed = "".join(
        f"<li>{html.escape(f['name'])}: {html.escape(f['reason'])}</li>" for f in report["failed"]
    )
    more = report["failures"] - len(report["failed"])
    failed += f"<li>and {more:,} more, see pictures.jsonl</li>" if more > 0 else ""
    title = (
        f"{report['pictures']:,} pictures: {report['damaged']:,} damaged, {report['intact']:,} "
        f"intact, {report['failures']:,} could not be read"
    )
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>lrpseg: {title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{html.escape(str(report['settings']['domain']))}</h1>"
        '<p class="soft">Open this folder in the page to correct its masks: '
        "<code>lrpseg app --workspace DIR</code></p>"
        f"{_counts(report)}"
        + (f"<h2>Could not be read</h2><ul>{failed}</ul>" if failed else "")
        + f"<h2>Pictures</h2>{_lists(least, first, report)}"
        + f"<h2>Formats</h2>{_formats(report)}<h2>Settings</h2>{_settings(report)}</html>\n"
    )
    save_text(page, out / "index.html")


def _counts(report: dict[str, Any]) -> str:
    names = (("pictures", "pictures"), ("damaged", "damaged"), ("intact", "intact"),
             ("failures", "could not be read"))  # fmt: skip
    cells = (f"<div><b>{report[key]:,}</b>{name}</div>" for key, name in names)
    return f'<div class="counts">{"".join(cells)}</div>'


def _lists(least: list[Row], first: list[Row], report: dict[str, Any]) -> str:
    """Two lists, of which one is shown; radio buttons switch without a script."""
    return (
        '<div class="tabs">'
        '<input type="radio" name="list" id="least" checked><label for="least">Least certain first'
        '</label><input type="radio" name="list" id="order"><label for="order">In order</label>'
        f'<section class="least">{_grid(least, report)}</section>'
        f'<section class="order">{_grid(first, report)}</section></div>'
    )


def _grid(rows: list[Row], report: dict[str, Any]) -> str:
    hidden = report["settings"]["only_damaged"]
    cells = []
    for row in rows:
        p, name = row["probability"], html.escape(row["name"])
        picture = (
            '<div class="none"></div>'
            if hidden and row["status"] == "intact"
            else f'<img loading="lazy" alt="" src="summary/{row["position"]:09}.jpg">'
        )
        cells.append(
            f'<figure>{picture}<figcaption><b title="{name}">{name}</b><div class="bar">'
            f'<i style="width:{100 * p:.0f}%"></i></div><div class="line">'
            f'<span class="{row["status"]}">{row["status"]}</span><span>p = {p:.3f}</span></div>'
            f"<small>{row['pixels']:,} pixels</small></figcaption></figure>"
        )
    more = report["pictures"] - report["failures"] - len(rows)
    note = f'<p class="soft">and {more:,} more, see pictures.jsonl</p>' if more > 0 else ""
    return f'<div class="grid">{"".join(cells)}</div>{note}'


def _formats(report: dict[str, Any]) -> str:
    rows = []
    for name, w in report["formats"].items():
        lowest = w["lowest_iou_kept"]
        kept = "every pixel" if lowest == 1 else (
            f"IoU {w['mean_iou_kept']:.4f} on average, {lowest:.4f} at least"
        )  # fmt: skip
        kept = "; ".join([kept, *(html.escape(overlap_words(o)) for o in w.get("overlaps", ()))])
        rows.append(
            f"<tr><td>{html.escape(name)}</td><td>{w['images']:,}</td>"
            f"<td>{w['annotations']:,}</td><td>{kept}</td></tr>"
        )
    head = "<tr><th>format</th><th>pictures</th><th>annotations</th><th>keeps</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _settings(report: dict[str, Any]) -> str:
    values = {**report["settings"]}
    values |= values.pop("options")
    rows = (
        f"<tr><th>{html.escape(k.replace('_', ' '))}</th><td>{html.escape(_words(v))}</td></tr>"
        for k, v in values.items()
    )
    return f"<table>{''.join(rows)}</table>"


def _words(value: Any) -> str:
    if value is None:
        return "chosen for each picture"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
