"""Workspaces of visitors: how many there may be, and which go first."""

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lrpseg.workspace import (
    NoSuchWorkspace,
    Quota,
    Sessions,
    UnavailableError,
    WorkspaceError,
)
from lrpseg.workspace import clock as clock_module
from lrpseg.workspace import sessions as sessions_module
from lrpseg.workspace.visitors import Visit, to_go
from tests.workspace.test_quota import hosted
from tests.workspace_support import SETTINGS, analysed, picture

pytestmark = pytest.mark.usefixtures("only_toy")


def test_many_that_open_and_go_lock_nobody_out(tmp_path: Path) -> None:
    sessions = hosted(tmp_path, visitors=4)
    drawing, workspace = sessions.open()
    analysed(workspace)
    for _ in range(20):
        sessions.open()
    newcomer, _ = sessions.open()
    assert sessions.get(drawing).items()
    assert sessions.get(newcomer).items() == []
    assert len(sessions._folders()) == 4


def test_who_uses_a_workspace_keeps_it_though_it_is_empty(tmp_path: Path) -> None:
    sessions = hosted(tmp_path, visitors=4)
    looking, _ = sessions.open()
    for _ in range(20):
        sessions.open()
        sessions.get(looking)  # the page asks what is new
    sessions.get(looking)


def test_pictures_that_were_used_lately_are_never_given_up(tmp_path: Path) -> None:
    sessions = hosted(tmp_path, visitors=2)
    tokens = []
    for _ in range(2):
        token, workspace = sessions.open()
        tokens.append(token)
        analysed(workspace)
    with pytest.raises(WorkspaceError, match="Too many visitors"):
        sessions.open()
    assert all(sessions.get(token).items() for token in tokens)


def test_who_goes_first() -> None:
    quota = Quota(visitors=4, total=1000, free=100, idle=60)
    new = Visit(Path("new"), 1, True, 10)
    left = Visit(Path("left"), 50, True, 10)
    used = Visit(Path("used"), 10, False, 300)
    old = Visit(Path("old"), 90, False, 300)
    older = Visit(Path("older"), 100, False, 300)
    everybody = [used, new, older, old, left]
    assert to_go(everybody[:4], quota, 10**6) == []
    assert to_go(everybody, quota, 10**6) == [left]
    assert to_go(everybody, quota, 10**6, new=1) == [left, new]
    assert to_go(everybody, quota, 10**6, new=3) == [left, new, older, old]
    assert to_go(everybody, quota, 10**6, new=9) == [left, new, older, old]
    assert to_go([new, left, used, older, old], replace(quota, visitors=9), 50) == [older]
    full = replace(quota, visitors=9, total=400)
    assert to_go(everybody, full, 10**6) == [older, old]
    assert to_go([], quota, 0) == []


def test_all_together_have_a_limit_and_so_has_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = hosted(tmp_path, total=200_000, idle=3600)
    tokens = []
    for size in (150_000, 150_000, 10):
        token, workspace = sessions.open()
        tokens.append(token)
        analysed(workspace)
        (workspace.folder / "large").write_bytes(bytes(size))
        sessions._used[workspace.folder] -= 10_000 - len(tokens)  # nobody was there for hours
    assert sessions.sweep() >= 1
    with pytest.raises(NoSuchWorkspace):
        sessions.get(tokens[0])
    assert sessions.get(tokens[2]).items()
    assert sessions.quota is not None
    sessions.quota = replace(sessions.quota, free=1000)
    monkeypatch.setattr(sessions_module, "disk_of", lambda path: (tmp_path, 999))
    with pytest.raises(UnavailableError, match="nearly full"):
        sessions.check_room(sessions.get(tokens[2]))


def test_a_clock_that_jumps_deletes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead, steadily = 0.0, 0.0
    wall, steady = time.time, time.monotonic
    monkeypatch.setattr(time, "time", lambda: wall() + ahead)
    monkeypatch.setattr(time, "monotonic", lambda: steady() + steadily)
    sessions = hosted(tmp_path)
    token, workspace = sessions.open()
    analysed(workspace)
    for jump in (1e9, -1e9):
        ahead = jump
        assert sessions.sweep() == 0
        sessions._touched.clear()
        sessions.get(token)
        assert sessions.sweep() == 0
        again = hosted(tmp_path)  # a start with a wrong clock, or after a long time
        assert again.sweep() == 0
        assert again.get(token).items()
    steadily = 80_000
    assert again.sweep() == 0
    steadily = 90_000
    assert again.sweep() == 1  # a day in which the page ran


@pytest.mark.parametrize("kept", ["", "nan", "-inf", "x", "1e400"])
def test_a_time_that_cannot_be_read_is_todays(tmp_path: Path, kept: str) -> None:
    (tmp_path / "clock").write_text(kept)
    clock = clock_module.PageClock(tmp_path / "clock")
    assert abs(clock.now() - time.time()) < 60
    clock.save()
    assert abs(clock_module.PageClock(tmp_path / "clock").now() - time.time()) < 60


def test_what_an_earlier_process_left_goes(tmp_path: Path) -> None:
    hosted(tmp_path).open()
    half, fresh = tmp_path / ("a" * 32), tmp_path / ("b" * 32)
    for folder in (half, fresh):
        (folder / "items").mkdir(parents=True)
    os.utime(half, (time.time() - 7200,) * 2)
    sessions = hosted(tmp_path)
    sessions.sweep()
    assert not half.exists()
    assert fresh.exists()
    assert len(sessions._folders()) == 1


def test_a_workspace_that_cannot_be_made_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: object) -> None:
        raise OSError("no")

    sessions = hosted(tmp_path)
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(sessions_module, "Workspace", fails)
    with pytest.raises(OSError, match="no"):
        sessions.open()
    assert sorted(tmp_path.iterdir()) == before


def test_rooms_are_counted_while_others_delete(tmp_path: Path) -> None:
    """Of the log of a database and of temporary files some vanish at any moment."""
    sessions = hosted(tmp_path)
    _, workspace = sessions.open()
    stop = threading.Event()
    folder = workspace.folder / "items" / "x"
    folder.mkdir()

    def churn() -> None:
        while not stop.is_set():
            for number in range(20):
                (folder / f"{number}.part").write_bytes(b"x")
            for number in range(20):
                (folder / f"{number}.part").unlink()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(300):
            sessions.check_room(workspace)
    finally:
        stop.set()
        thread.join()


def test_ones_own_machine_has_no_such_limits(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path)
    _, workspace = sessions.open()
    assert workspace.quota is None
    sessions.check_room(workspace)
    workspace.check_room(10**15)
    assert workspace.add("a.png", picture(), SETTINGS).status == "waiting"
