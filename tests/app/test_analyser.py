"""The thread that runs networks: whose turn it is, and what ends early. No network runs here."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from lrpseg.app import commands
from lrpseg.app.analyser import Analyser, Segmenters
from lrpseg.app.service import Service
from lrpseg.pipeline.jobs import Step
from lrpseg.pipeline.results import Result
from lrpseg.pipeline.segmenter import Steps
from lrpseg.pipeline.settings import Settings
from lrpseg.web.routes import TOKEN, make_routes
from lrpseg.workspace import Limits, Sessions, Workspace, WorkspaceError
from tests.workspace_support import SETTINGS, picture, result

pytestmark = pytest.mark.usefixtures("only_toy")

BATCHES = 3
PATIENCE = 60


class Paced(Segmenters):
    """Does a batch for each `let`; log: of each batch the picture's height and its thresholder."""

    def __init__(self) -> None:
        super().__init__("cpu")
        self.log: list[tuple[int, str]] = []
        self.closed: list[int] = []
        self._may, self._did = threading.Semaphore(0), threading.Semaphore(0)

    def steps(self, image: object, settings: Settings, explain_intact: bool = False) -> Steps:
        assert isinstance(image, np.ndarray)
        height = len(image)
        try:
            for done in range(BATCHES):
                self._may.acquire()
                self.log.append((height, settings.rule_set))
                self._did.release()
                found = np.full((2, 2), done + 1, np.float32)
                yield Step(done + 1, BATCHES, lambda size, found=found: found)
        except GeneratorExit:
            self.closed.append(height)
            raise
        return result(shape=image.shape[:2])

    def let(self, count: int) -> list[int]:
        """Let so many batches be done; returns the pictures that they were of."""
        for _ in range(count):
            self._may.release()
        for _ in range(count):
            assert self._did.acquire(timeout=PATIENCE)
        return [height for height, _ in self.log[len(self.log) - count :]]


@pytest.fixture
def paced() -> Paced:
    return Paced()


@pytest.fixture
def analyser(paced: Paced) -> Iterator[Analyser]:
    made = Analyser(paced)
    yield made
    paced._may.release(1000)
    made.stop()


def add(workspace: Workspace, height: int) -> str:
    return workspace.add(f"{height}.png", picture(shape=(height, 50)), SETTINGS).id


def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread does; fails after a minute."""
    event = threading.Event()
    for _ in range(PATIENCE * 100):
        if true():
            return
        event.wait(0.01)
    raise AssertionError("it did not happen")


def test_workspaces_take_turns_by_batches(analyser: Analyser, paced: Paced, tmp_path: Path) -> None:
    one, other = Workspace(tmp_path / "one"), Workspace(tmp_path / "other")
    add(one, 40)
    add(one, 41)
    add(other, 50)
    analyser.wake(one)
    paced.let(1)  # it is under way when the other comes
    analyser.wake(other)
    done = paced.let(8)
    assert [h for h in done if h < 50] == [40, 40, 41, 41, 41]
    assert done[:6].count(50) == 3  # not after all of the first workspace's
    assert max(len(list(run)) for run in _runs(done[:5])) <= 2


def _runs(values: list[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for value in values:
        if found and found[-1][0] == value:
            found[-1].append(value)
        else:
            found.append([value])
    return found


def test_the_opened_picture_goes_first_and_the_other_goes_on_after_it(
    analyser: Analyser, paced: Paced, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "w")
    ids = [add(workspace, height) for height in (40, 41, 42)]
    analyser.wake(workspace)
    assert paced.let(1) == [40]
    analyser.prefer(workspace, ids[2])
    # The batch that has begun already may still be of the first.
    done = paced.let(8)
    assert done in ([42] * 3 + [40] * 2 + [41] * 3, [40] + [42] * 3 + [40] + [41] * 3)
    until(lambda: all(item.status == "todo" for item in workspace.items()))


def test_who_opens_a_waiting_picture_gets_it_first(
    analyser: Analyser, paced: Paced, tmp_path: Path
) -> None:
    service = Service(Sessions(tmp_path / "page"), analyser, Limits())
    token, workspace = commands.open_workspace(service)
    ids = [add(workspace, height) for height in (40, 41, 42)]
    client = TestClient(Starlette(routes=make_routes(service)))
    answer = client.get(f"/lrpseg/items/{ids[2]}", headers={TOKEN: token})
    assert answer.json()["status"] == "waiting"
    analyser.wake(workspace)
    # The first may have begun when the workspace was opened.
    assert paced.let(4) in ([42] * 3 + [40], [40] + [42] * 3)


def test_a_removed_picture_ends_after_the_batch_at_hand(
    analyser: Analyser, paced: Paced, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "w")
    first, second = add(workspace, 40), add(workspace, 41)
    analyser.wake(workspace)
    paced.let(1)
    workspace.delete(first)
    rest = paced.let(3)
    assert rest.count(40) <= 1
    paced.let(1 if rest.count(40) else 0)
    until(lambda: workspace.item(second).status == "todo")
    assert paced.closed == [40]


def test_other_settings_end_the_analysis_that_is_not_wanted_any_more(
    analyser: Analyser, paced: Paced, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "w")
    id = add(workspace, 40)
    analyser.wake(workspace)
    paced.let(1)
    workspace.set_settings(id, replace(SETTINGS, rule_set="montavon"))
    paced.let(3)
    paced.let(1 if [rules for _, rules in paced.log].count("ours") == 2 else 0)
    until(lambda: workspace.item(id).status == "todo")
    assert [rules for _, rules in paced.log].count("montavon") == BATCHES
    assert workspace.item(id).analysis == workspace.item(id).analysis_key
    assert paced.closed == [40]


def test_the_end_waits_for_one_batch_and_what_was_half_done_is_done_again(
    analyser: Analyser, paced: Paced, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "w")
    id = add(workspace, 40)
    analyser.wake(workspace)
    paced.let(1)
    ending = threading.Thread(target=analyser.stop)
    ending.start()
    paced._may.release(1)
    ending.join(PATIENCE)
    assert not ending.is_alive()
    assert len(paced.log) <= 2
    workspace.recover()
    assert workspace.item(id).status == "waiting"


def test_no_more_pictures_are_half_done_than_fit(
    analyser: Analyser, paced: Paced, tmp_path: Path
) -> None:
    workspaces = [Workspace(tmp_path / str(n)) for n in range(15)]
    for number, workspace in enumerate(workspaces):
        add(workspace, 40 + number)
        analyser.wake(workspace)
    assert len(set(paced.let(30))) <= 12
    paced.let(15)
    until(lambda: all(w.items()[0].status == "todo" for w in workspaces))


def test_what_was_found_so_far_can_be_seen(
    analyser: Analyser, paced: Paced, tmp_path: Path
) -> None:
    service = Service(Sessions(tmp_path / "page"), analyser, Limits())
    token, workspace = commands.open_workspace(service)
    id = add(workspace, 40)
    client = TestClient(Starlette(routes=make_routes(service)))
    url, headers = f"/lrpseg/items/{id}/heatmap", {TOKEN: token}
    assert client.get(url, headers=headers).status_code >= 400
    analyser.wake(workspace)
    paced.let(1)
    until(lambda: analyser.sketch(workspace, id, (2, 2)) is not None)
    first = client.get(url, headers=headers)
    assert first.headers["content-type"] == "image/png"
    assert analyser.sketch(workspace, "another", (2, 2)) is None
    paced.let(2)
    until(lambda: workspace.item(id).status == "todo")
    until(lambda: analyser.sketch(workspace, id, (2, 2)) is None)
    assert client.get(url, headers=headers).content != first.content  # the whole one


def test_a_result_that_cannot_be_stored_fails_its_picture_alone(
    analyser: Analyser, paced: Paced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path / "w")
    bad, good = add(workspace, 40), add(workspace, 41)
    inner = workspace.finish

    def finish(id: str, key: str, result: Result) -> None:
        if id == bad:
            raise WorkspaceError("The disk is full.")
        inner(id, key, result)

    monkeypatch.setattr(workspace, "finish", finish)
    analyser.wake(workspace)
    paced.let(6)
    until(lambda: workspace.item(good).status == "todo")
    assert workspace.item(bad).status == "failed"
    assert workspace.item(bad).reason == "The disk is full."


def test_a_picture_that_fails_stops_no_other(
    analyser: Analyser, paced: Paced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path / "w")
    bad, good = add(workspace, 40), add(workspace, 41)
    inner = paced.steps

    def steps(image: np.ndarray, *rest: object) -> Steps:
        if len(image) == 40:
            raise RuntimeError("boom")
        return (yield from inner(image, *rest))  # type: ignore[arg-type]

    monkeypatch.setattr(paced, "steps", steps)
    analyser.wake(workspace)
    paced.let(3)
    until(lambda: workspace.item(good).status == "todo")
    assert workspace.item(bad).status == "failed"
    assert "Try it once more" in (workspace.item(bad).reason or "")
