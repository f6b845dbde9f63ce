"""The soak suite in its short form: few of all, with narrow networks. tests/page has its load."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.narrow import narrow_tiles
from tests.soak import addresses, children, disk, kills, pictures
from tests.soak.rows import Plan, Row, counted, table

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills and limits are Unix's")


@pytest.fixture(scope="module", autouse=True)
def _end() -> Iterator[None]:
    yield
    children.end()


@pytest.fixture
def plan(tmp_path: Path) -> Iterator[Plan]:
    with narrow_tiles(tmp_path / "assets"):
        yield Plan(seed=0, seconds=0, short=True, folder=tmp_path)


@pytest.mark.parametrize("part", [kills, disk, pictures, addresses], ids=lambda p: p.__name__)
def test_nothing_is_lost_and_nothing_breaks(part: object, plan: Plan) -> None:
    rows: list[Row] = part.run(plan)  # type: ignore[attr-defined]
    if rows[0].tried.startswith("skipped"):
        pytest.skip(rows[0].tried)
    assert not [failure for row in rows for failure in row.failures]


def test_the_table_tells_failures() -> None:
    rows = [Row("a", counted(1, "kill"), "1"), Row("b", counted(1200, "kill"), "none", ["lost"])]
    assert table(rows).splitlines()[2:] == [
        "| a | 1 kill | 1 |", "| b | 1,200 kills | none; **1 FAILED** |",
    ]  # fmt: skip
