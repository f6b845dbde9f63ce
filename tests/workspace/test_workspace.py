"""Workspaces: what is kept, what a kill leaves, and many writers at once."""

import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lrpseg.core.errors import ImageError, OptionError
from lrpseg.masks.corrections import apply, clean
from lrpseg.thresholders import THRESHOLDERS
from lrpseg.workspace import NoSuchItem, Workspace, WorkspaceError
from lrpseg.workspace.schema import FILE_NAME
from tests.core.test_depth import png
from tests.workspace_support import SETTINGS, SHAPE, analysed, picture, result

pytestmark = pytest.mark.usefixtures("only_toy")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws")


def drawn(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 3, SHAPE, dtype=np.uint8)


def test_a_picture_waits_is_analysed_and_has_a_mask(workspace: Workspace) -> None:
    item = workspace.add("a.png", picture(), SETTINGS)
    assert (item.status, item.width, item.height) == ("waiting", 50, 40)
    with pytest.raises(WorkspaceError, match="waiting"):
        workspace.relevance(item.id)
    claimed = workspace.claim_next()
    assert claimed is not None and claimed.id == item.id  # noqa: PT018
    assert workspace.claim_next() is None
    workspace.finish(item.id, claimed.analysis_key, result())
    done = workspace.item(item.id)
    fitted = THRESHOLDERS["simple"].fit(result().relevance)
    assert (done.status, done.probability) == ("todo", 0.9)
    assert done.own_threshold == fitted.threshold
    assert np.array_equal(workspace.relevance(item.id), result().relevance)
    assert np.array_equal(workspace.mask(item.id), fitted.mask)


def test_corrections_lie_on_top_of_threshold_cleaning_and_thresholder(workspace: Workspace) -> None:
    item, values = analysed(workspace), drawn()
    workspace.patch_corrections(item.id, 0, 0, 50, 40, values.tobytes())
    workspace.set_threshold(item.id, 0.3)
    workspace.set_cleaning(item.id, 4, 6)
    fitted = THRESHOLDERS["simple"].fit(result().relevance)
    expected = apply(clean(fitted.at(0.3), 4, 6), values)
    assert np.array_equal(workspace.mask(item.id), expected)
    assert workspace.item(item.id).status == "edited"
    workspace.set_settings(item.id, replace(SETTINGS, thresholder="bmm"))
    other = THRESHOLDERS["bmm"].fit(result().relevance)
    assert np.array_equal(workspace.mask(item.id), apply(clean(other.mask, 4, 6), values))
    assert np.array_equal(workspace.corrections(item.id), values)


def test_intact_pictures_have_empty_masks_that_can_be_drawn_on(workspace: Workspace) -> None:
    item = analysed(workspace, explained=False)
    assert item.status == "empty"
    workspace.set_threshold(item.id, 0.0)
    assert not workspace.mask(item.id).any()
    workspace.patch_corrections(item.id, 1, 2, 1, 1, b"\x01")
    assert np.argwhere(workspace.mask(item.id)).tolist() == [[2, 1]]
    assert workspace.set_settings(item.id, explain_intact=True).status == "waiting"


def test_accepting_and_taking_it_back(workspace: Workspace) -> None:
    item = analysed(workspace)
    workspace.set_status(item.id, "accepted")
    assert workspace.item(item.id).status == "accepted"
    workspace.patch_corrections(item.id, 0, 0, 1, 1, b"\x01")
    assert workspace.item(item.id).status == "edited"  # it is no longer what was accepted
    workspace.set_status(item.id, "accepted")
    workspace.set_status(item.id, "todo")
    assert workspace.item(item.id).status == "edited"
    with pytest.raises(WorkspaceError):
        workspace.set_status(item.id, "running")
    other = analysed(workspace, "b.png")
    for status, change in (
        ("todo", lambda: None),
        ("edited", lambda: workspace.set_threshold(other.id, 0.3)),
    ):
        change()
        workspace.set_status(other.id, "accepted")
        workspace.set_status(other.id, "todo")
        assert workspace.item(other.id).status == status


def test_a_file_that_is_no_picture_is_kept_as_failed(workspace: Workspace) -> None:
    item = workspace.add("x.png", b"no picture", SETTINGS)
    assert item.status == "failed"
    assert "not an image" in (item.reason or "")
    assert workspace.claim_next() is None
    with pytest.raises(WorkspaceError, match="not an image"):
        workspace.image(item.id)
    with pytest.raises(WorkspaceError):
        workspace.set_settings(item.id, replace(SETTINGS, rule_set="montavon"))
    workspace.delete(item.id)
    assert workspace.items() == []


def test_how_a_picture_was_read_is_kept(workspace: Workspace) -> None:
    assert workspace.add("plain.png", picture(), SETTINGS).read == ""
    item = workspace.add("camera.png", png(np.array([[0, 3900]], np.uint16)), SETTINGS)
    told = "read as 12 bits (by its values, of which the highest is 3900)"
    assert item.read == told
    assert [item.read for item in Workspace(workspace.folder).items()] == ["", told]


def test_names_are_never_alike(workspace: Workspace) -> None:
    names = [workspace.add("t/a.png", picture(i), SETTINGS).name for i in range(3)]
    assert names == ["t/a.png", "t/a (2).png", "t/a (3).png"]


@pytest.mark.parametrize(
    ("x", "y", "w", "h", "data"),
    [
        (0, 0, 2, 2, b"\0\0\0"), (-1, 0, 1, 1, b"\0"), (49, 0, 2, 1, b"\0\0"), (0, 40, 1, 1, b"\0"),
        (0, 0, 0, 0, b""), (0, 0, 1, 1, b"\x03"),
    ],
)  # fmt: skip
def test_strokes_that_do_not_fit_are_refused(
    workspace: Workspace, x: int, y: int, w: int, h: int, data: bytes
) -> None:
    item = analysed(workspace)
    with pytest.raises(WorkspaceError):
        workspace.patch_corrections(item.id, x, y, w, h, data)
    assert not workspace.corrections(item.id).any()


def test_truth_of_another_size_is_refused(workspace: Workspace) -> None:
    item = analysed(workspace)
    with pytest.raises(ImageError, match="at the picture's size"):
        workspace.set_truth(item.id, picture(shape=(40, 51)))
    assert workspace.truth(item.id) is None
    workspace.set_truth(item.id, picture(3))
    assert workspace.truth(item.id).shape == SHAPE  # type: ignore[union-attr]


def test_what_is_not_there_says_so(workspace: Workspace) -> None:
    for call in (workspace.item, workspace.image, workspace.mask, workspace.delete):
        with pytest.raises(NoSuchItem):
            call("0" * 32)
    with pytest.raises(NoSuchItem):
        workspace.set_threshold("../../etc", 0.5)
    with pytest.raises(OptionError):
        workspace.add("a.png", picture(), replace(SETTINGS, network="moon"))


def test_what_is_no_workspace_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 500)
    with pytest.raises(WorkspaceError, match="cannot be opened"):
        Workspace(tmp_path)


def test_it_is_all_there_when_opened_again(workspace: Workspace) -> None:
    item, values = analysed(workspace), drawn(4)
    workspace.patch_corrections(item.id, 0, 0, 50, 40, values)
    workspace.add_seconds(item.id, 12.5)
    before = workspace.item(item.id)
    again = Workspace(workspace.folder)
    assert again.item(item.id) == before
    assert before.seconds == 12.5
    assert np.array_equal(again.mask(item.id), workspace.mask(item.id))


def test_many_threads_lose_no_stroke(workspace: Workspace) -> None:
    item = analysed(workspace)
    spots = [(x, y) for x in range(0, 48, 4) for y in range(0, 40, 4)]

    def draw(spot: tuple[int, int]) -> None:
        Workspace(workspace.folder).patch_corrections(item.id, *spot, 2, 2, b"\x01" * 4)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(draw, spots))
    assert np.count_nonzero(workspace.corrections(item.id)) == 4 * len(spots)
    assert workspace.item(item.id).revision >= len(spots)


WRITER = """
import sys
from pathlib import Path
from lrpseg.workspace import Workspace, strokes
strokes.MANY = 16  # a kill may come while they are folded
workspace, (id,) = Workspace(Path(sys.argv[1])), sys.argv[2:]
for i in range(2000):
    workspace.patch_corrections(id, i % 50, i // 50, 1, 1, bytes([1 + i % 2]))
    print(i, flush=True)
"""


@pytest.mark.parametrize("seed", range(2))
def test_a_kill_loses_no_confirmed_stroke(workspace: Workspace, seed: int) -> None:
    item = analysed(workspace)
    command = [sys.executable, "-c", WRITER, str(workspace.folder), item.id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(random.Random(seed).uniform(0, 0.2))
        writer.send_signal(signal.SIGKILL)
        confirmed = [0, *(int(line) for line in writer.stdout.read().split())][-1]
    again = Workspace(workspace.folder)
    flat = again.corrections(item.id).ravel()
    assert flat[: confirmed + 1].tolist() == [1 + i % 2 for i in range(confirmed + 1)]
    assert not flat[confirmed + 2 :].any()
    again.patch_corrections(item.id, 0, 39, 1, 1, b"\x01")  # nothing is left locked
    assert np.count_nonzero(again.corrections(item.id)[39]) == 1
