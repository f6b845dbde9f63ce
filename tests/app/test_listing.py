"""Lists of pictures: a tab is told what changed, and that alone."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from lrpseg.app import commands
from lrpseg.app.analyser import Analyser, Segmenters
from lrpseg.app.listing import Entry, Listings
from lrpseg.app.service import Service
from lrpseg.web.routes import TOKEN, make_routes
from lrpseg.workspace import Limits, Sessions, Workspace
from tests.workspace_support import SETTINGS, picture, result


def entry(id: str, status: str = "todo", **more: int) -> Entry:
    return {"id": id, "status": status, **more}


def test_the_first_answer_is_whole_and_the_next_what_changed() -> None:
    listings = Listings()
    first = listings.news("w", "1", None, lambda: [entry("a"), entry("b"), entry("c")])
    assert [e["id"] for e in first["items"]] == ["a", "b", "c"]
    now = [entry("a"), entry("c", "edited"), entry("d")]
    second = listings.news("w", "2", first["serial"], lambda: now)
    assert second["changed"] == [entry("c", "edited"), entry("d")]
    assert second["gone"] == ["b"]
    assert "items" not in second
    assert listings.news("w", "3", second["serial"], lambda: now) == {"serial": second["serial"]}
    # Another tab, which has the first list still, is told as much.
    assert listings.news("w", "3", first["serial"], lambda: now)["gone"] == ["b"]


def test_nothing_is_listed_where_nothing_can_have_changed() -> None:
    listings = Listings()
    first = listings.news("w", "1", None, lambda: [entry("a")])

    def never() -> list[Entry]:
        raise AssertionError("listed")

    assert listings.news("w", "1", first["serial"], never) == {"serial": first["serial"]}


def test_progress_is_told_though_it_raises_no_serial() -> None:
    listings = Listings()
    first = listings.news("w", "1", None, lambda: [entry("a", "running", tiles_done=1), entry("b")])
    now = [entry("a", "running", tiles_done=2), entry("b")]
    told = listings.news("w", "1", first["serial"], lambda: now)
    assert told["changed"] == [now[0]]
    assert told["serial"] != first["serial"]


@pytest.mark.parametrize("since", ["", "1", "1.99", "9.1", "x"])
def test_a_list_that_nobody_remembers_is_told_whole(since: str) -> None:
    listings = Listings()
    listings.news("w", "1", None, lambda: [entry("a")])
    assert listings.news("w", "1", since, lambda: [entry("a")])["items"] == [entry("a")]


def test_another_workspaces_list_is_none() -> None:
    listings = Listings()
    mine = listings.news("mine", "1", None, lambda: [entry("a")])
    assert "items" in listings.news("yours", "1", mine["serial"], lambda: [entry("b")])


def test_memory_is_bounded() -> None:
    listings = Listings(limit=100)
    many = [entry(str(n)) for n in range(40)]
    names = [listings.news("w", str(n), None, lambda: many)["serial"] for n in range(5)]
    assert "items" in listings.news("w", "9", names[0], lambda: many)
    assert "items" not in listings.news("w", "9", names[-1], lambda: many)


def test_lists_that_differ_by_one_picture_share_the_others() -> None:
    listings = Listings()
    before = listings.news("w", "0", None, lambda: [entry("a"), entry("b")])
    names, since = [], before["serial"]
    tracemalloc.start()
    for n in range(200):
        many = [entry(500 * "x" + str(id), revision=n if id == n else -1) for id in range(100)]
        since = listings.news("w", str(n), since, lambda many=many: many)["serial"]
        names.append(since)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "items" not in listings.news("w", "x", names[1], list)  # all lists are there
    assert held < 3_000_000  # 8 MB with entries of their own


def test_the_route_tells_a_tab_what_changed(only_toy: None, tmp_path: Path) -> None:
    service = Service(Sessions(tmp_path / "page"), Analyser(Segmenters("cpu")), Limits())
    try:
        token, workspace = commands.open_workspace(service)
        ids = [_analysed(workspace, n) for n in range(3)]
        client = TestClient(Starlette(routes=make_routes(service)))

        def ask(since: str) -> dict[str, Any]:
            answer = client.get(f"/lrpseg/items?since={since}", headers={TOKEN: token})
            return answer.json()

        first = ask("")
        assert {e["id"] for e in first["items"]} == set(ids)
        workspace.set_status(ids[1], "accepted")
        second = ask(first["serial"])
        assert [(e["id"], e["status"]) for e in second["changed"]] == [(ids[1], "accepted")]
        workspace.delete(ids[0])
        third = ask(second["serial"])
        assert third["gone"] == [ids[0]]
        assert ask(third["serial"]) == {"serial": third["serial"]}
    finally:
        service.analyser.stop()


def _analysed(workspace: Workspace, number: int) -> str:
    item = workspace.add(f"{number}.png", picture(number), SETTINGS)
    workspace.finish(item.id, item.analysis_key, result(number))
    return item.id
