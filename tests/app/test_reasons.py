"""How far a heatmap is the reason: what the page tells of the open picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lrpseg.app import reasons, spaces
from lrpseg.app.analyser import Segmenters
from lrpseg.app.reasons import Reason, Reasons
from lrpseg.core.errors import OptionError
from lrpseg.domains import load_domain
from lrpseg.pipeline.defaults import default_settings
from lrpseg.workspace import Item, Workspace
from tests.workspace_support import SETTINGS, analysed, picture

pytestmark = pytest.mark.usefixtures("narrow")


def explained(workspace: Workspace, segmenters: Segmenters, shape: tuple[int, int]) -> Item:
    """A picture with a dark spot in its last corner, analysed by the narrow network."""
    values = np.random.default_rng(0).integers(120, 140, (*shape, 3), dtype=np.uint8)
    values[-60:-40, -60:-20] = 10
    path = workspace.folder / "made.png"
    Image.fromarray(values).save(path)
    settings = default_settings(load_domain("toy"), thresholder="simple", refiner="none")
    item = workspace.add("made.png", path.read_bytes(), settings)
    result = segmenters.run(values, settings, explain_intact=True)
    workspace.finish(item.id, item.analysis_key, result)
    return workspace.item(item.id)


@pytest.mark.parametrize("shape", [(224, 224), (300, 500), (90, 120)])
def test_pictures_of_any_size_are_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    workspace, segmenters, kept = Workspace(tmp_path), Segmenters("cpu"), Reasons()
    item = explained(workspace, segmenters, shape)
    reason = kept.of(segmenters, workspace, item)
    assert reason.whole == (shape == (224, 224))
    assert all(np.isfinite([reason.log_odds, reason.relevant, reason.likely, reason.random]))
    assert reason.error is not None
    assert reason.error >= 0
    monkeypatch.setattr(reasons, "_reason", lambda *given: pytest.fail("measured again"))
    assert kept.of(segmenters, workspace, item) == reason
    assert reason.as_json()["sentences"] == reason.sentences()


def test_what_has_no_heatmap_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, segmenters, kept = Workspace(tmp_path), Segmenters("cpu"), Reasons()
    waiting = workspace.add("b.png", picture(), SETTINGS)
    for item in (waiting, analysed(workspace, explained=False)):
        with pytest.raises(OptionError, match="no heatmap"):
            kept.of(segmenters, workspace, item)
    monkeypatch.setattr(spaces, "zero_gpu", lambda: True)
    with pytest.raises(OptionError, match="lent"):
        kept.of(segmenters, workspace, analysed(workspace, "c.png"))


def test_the_sentences_say_which_part_was_measured() -> None:
    whole = Reason(4.0, 3.5, 3.0, 0.1, 0.25, whole=True)
    assert " ".join(whole.sentences()) == (
        "The classifier's log-odds of damage: 4.0. With 5 % of it blurred: 0.5 where relevance is "
        "highest, 1.0 where the mask is most likely, 3.9 at random. The sum of the relevance "
        "differs from what it started from by 25 % (conservation error)."
    )
    part = Reason(4.0, 3.5, 3.0, 0.1, None, whole=False).sentences()
    assert len(part) == 2
    assert "in the part with most relevance" in part[0]
