"""The summary page of a run: what it tells, of one class and of several, and that it escapes."""

import html
import re
from typing import Any

import pytest

from lrpseg.folders import summary
from lrpseg.folders.summary import summary_page

OPTIONS: dict[str, Any] = {"label": "damage", "copy_pictures": False, "classes": []}


def row(position: int, probability: float = 0.9, pixels: int = 100, **more: Any) -> dict[str, Any]:
    status = "damaged" if probability >= 0.5 else "intact"
    held = {"position": position, "name": f"{position}.png", "status": status}
    return held | {"probability": probability, "pixels": pixels} | more


def report(pictures: int, **more: Any) -> dict[str, Any]:
    held = {"pictures": pictures, "damaged": pictures, "intact": 0, "failures": 0, "failed": []}
    settings = {"domain": "toy", "threshold": None, "only_damaged": False, "options": OPTIONS}
    return held | {"formats": {}, "settings": settings} | more


def shown(page: str) -> str:
    """The page's text, without tags."""
    body = page.partition("<body>")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def order(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'src="summary/(\d{9})\.jpg"', page)]


def test_the_least_certain_come_first_and_then_all_in_order() -> None:
    rows = [row(i, p) for i, p in enumerate((0.9, 0.75, 0.25, 1.0))]
    # 1 and 2 are equally uncertain: the first one comes first.
    assert order(summary_page(rows, report(4))) == [1, 2, 0, 3, 0, 1, 2, 3]


def test_long_lists_are_cut_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "SHOWN", 2)
    page = summary_page((row(i, 0.5 + i / 10) for i in range(5)), report(1205))
    assert order(page) == [0, 1, 0, 1]
    assert shown(page).count("and 1,203 more, see pictures.jsonl") == 2


def test_names_reasons_and_classes_are_escaped() -> None:
    evil = '<img src=x onerror="alert(1)">&'
    rows = [row(0, name=evil, classes={evil: {"pixels": 3}})]
    lost = {"winner": evil, "loser": "b", "pixels": 1, "pictures": 1}
    written = {"images": 1, "annotations": 1, "lowest_iou_kept": 1.0, "overlaps": [lost]}
    page = summary_page(
        rows,
        report(1, failures=1, failed=[{"name": evil, "reason": evil}], formats={evil: written}),
    )
    assert "onerror=&#34;" in page
    assert "<img src=x" not in page
    assert f"{evil} won over b in 1 pixel of 1 picture" in shown(page)


def test_what_could_not_be_read_is_listed_and_has_no_thumbnail() -> None:
    failed = [{"name": "a.jpg", "reason": "not an image"}]
    broken = row(0, name="a.jpg", status="failed") | {"probability": None, "pixels": None}
    page = summary_page([broken, row(1)], report(2, failures=3, failed=failed))
    assert order(page) == [1, 1]
    assert "Could not be read a.jpg: not an image and 2 more, see pictures.jsonl" in shown(page)
    assert "<h2>Could not be read" not in summary_page([row(1)], report(1))


def test_intact_pictures_without_files_have_no_picture() -> None:
    only = report(2)
    only["settings"] = only["settings"] | {"only_damaged": True}
    assert order(summary_page([row(0), row(1, 0.1)], only)) == [0, 0]


def test_classes_are_counted_where_there_are_several() -> None:
    rows = [
        row(0, pixels=130, classes={"crack": {"pixels": 100}, "hole": {"pixels": 40}}),
        row(1, pixels=2000, classes={"crack": {"pixels": 2000}, "hole": {"pixels": 0}}),
    ]
    labels = [{"name": n, "colour": c} for n, c in (("crack", [0, 0, 255]), ("hole", [255, 0, 0]))]
    told = report(2)
    told["settings"] = told["settings"] | {
        "threshold": {"crack": 0.5, "hole": 0.25}, "options": OPTIONS | {"classes": labels},
    }  # fmt: skip
    page = summary_page(rows, told)
    text = shown(page)
    assert "Classes class pictures pixels crack 2 2,100 hole 1 40" in text
    assert "130 pixels crack 100 hole 40" in text  # classes overlap
    assert "hole 0" not in text  # no line for a class that is not there
    assert text.count("hole 40") == 2  # once in each list
    assert "threshold crack: 0.5, hole: 0.25" in text
    assert "classes crack, hole" in text
    assert "background:#0000ff" in page


def test_one_class_has_no_counts_of_its_own() -> None:
    text = shown(summary_page([row(0)], report(1)))
    assert "Classes" not in text
    assert "threshold chosen for each picture" in text


def test_formats_tell_what_they_keep() -> None:
    exact = {"images": 1200, "annotations": 3, "lowest_iou_kept": 1.0, "mean_iou_kept": 1.0}
    rough = exact | {"lowest_iou_kept": 0.5, "mean_iou_kept": 0.99994}
    page = shown(summary_page([row(0)], report(1, formats={"png": exact, "yolo": rough})))
    assert "png 1,200 3 every pixel" in page
    assert "yolo 1,200 3 IoU 0.9999 on average, 0.5000 at least" in page
