"""What was found on a picture reaches it if it is still wanted, and costs nobody's work."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lrpseg.core.errors import RelevanceError
from lrpseg.pipeline.results import fit
from lrpseg.pipeline.settings import Settings
from lrpseg.thresholders import THRESHOLDERS, Fitted
from lrpseg.workspace import Workspace
from tests.workspace_support import SETTINGS, analysed, picture, result

pytestmark = pytest.mark.usefixtures("only_toy")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws")


def test_an_analysis_is_seen_only_with_its_own_threshold(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = workspace.add("a.png", picture(), SETTINGS)
    claimed = workspace.claim_next()
    seen = []

    def watched(settings: Settings, *arrays: np.ndarray) -> Fitted:
        seen.append((settings.thresholder, workspace.item(item.id).analysis))
        if settings.thresholder == "simple":  # somebody chooses another one during the fit
            workspace.set_settings(item.id, replace(SETTINGS, thresholder="bmm"))
        return fit(settings, *arrays)

    monkeypatch.setattr("lrpseg.workspace.reading.fit", watched)
    workspace.finish(item.id, claimed.analysis_key, result())
    assert [analysis for _, analysis in seen if not analysis] == [""] * 2
    done = workspace.item(item.id)
    expected = THRESHOLDERS["bmm"].fit(result().relevance)
    assert (done.settings.thresholder, done.own_threshold) == ("bmm", expected.threshold)
    assert np.array_equal(workspace.mask(item.id), expected.mask)


def test_a_thresholder_that_fails_is_told_and_another_one_helps(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = analysed(workspace)

    def failing(settings: Settings, *arrays: np.ndarray) -> Fitted:
        if settings.thresholder == "bmm":
            raise RelevanceError("There is no evidence to fit.")
        return fit(settings, *arrays)

    monkeypatch.setattr("lrpseg.workspace.reading.fit", failing)
    failed = workspace.set_settings(item.id, replace(SETTINGS, thresholder="bmm"))
    assert (failed.status, failed.reason) == ("failed", "There is no evidence to fit.")
    again = workspace.set_settings(item.id, SETTINGS)
    assert (again.status, again.reason) == ("todo", None)
    assert again.own_threshold == THRESHOLDERS["simple"].fit(result().relevance).threshold


def test_other_rules_wait_for_lrp_and_going_back_does_not(workspace: Workspace) -> None:
    item = analysed(workspace)
    workspace.patch_corrections(item.id, 3, 4, 2, 2, bytes([1, 2, 1, 2]))
    other = workspace.set_settings(item.id, replace(SETTINGS, rule_set="montavon"))
    assert other.status == "waiting"
    claimed = workspace.claim_next()
    assert claimed is not None
    workspace.finish(item.id, claimed.analysis_key, result(seed=5))
    assert workspace.item(item.id).status == "edited"
    assert np.array_equal(workspace.relevance(item.id), result(seed=5).relevance)
    back = workspace.set_settings(item.id, SETTINGS)
    assert back.status == "edited"
    assert np.array_equal(workspace.relevance(item.id), result().relevance)
    assert workspace.corrections(item.id)[4:6, 3:5].ravel().tolist() == [1, 2, 1, 2]


def test_settings_that_change_during_the_analysis_win(workspace: Workspace) -> None:
    item = workspace.add("a.png", picture(), SETTINGS)
    claimed = workspace.claim_next()
    assert claimed is not None
    workspace.set_settings(item.id, replace(SETTINGS, rule_set="montavon"))
    workspace.finish(item.id, claimed.analysis_key, result())
    assert workspace.item(item.id).status == "waiting"
    again = workspace.claim_next()
    assert again is not None and again.settings.rule_set == "montavon"  # noqa: PT018


def test_what_was_accepted_stays_when_an_analysis_ends_that_nobody_wants(
    workspace: Workspace,
) -> None:
    item = analysed(workspace)
    workspace.set_settings(item.id, replace(SETTINGS, rule_set="montavon"))
    claimed = workspace.claim_next()
    assert claimed is not None
    workspace.set_settings(item.id, SETTINGS)
    workspace.set_status(item.id, "accepted")
    workspace.finish(item.id, claimed.analysis_key, result(seed=5))
    assert workspace.item(item.id).status == "accepted"
    workspace.fail(item.id, claimed.analysis_key, "no memory")
    assert workspace.item(item.id).status == "accepted"
    workspace.fail(item.id, item.analysis_key, "no memory")
    assert workspace.item(item.id).status == "failed"


def test_the_analysis_that_is_shown_is_never_forgotten(workspace: Workspace) -> None:
    item = analysed(workspace)
    for number, pooling in enumerate(("max", "average", "max", "average", "max", "average")):
        rules = ("montavon", "ours")[number // 2 % 2]
        start = ("logit", "log-odds")[number // 4]
        other = replace(SETTINGS, rule_set=rules, pooling=pooling, start=start)
        workspace.set_settings(item.id, other)
        claimed = workspace.claim_next()
        if claimed is None:  # known already
            continue
        workspace.set_settings(item.id, SETTINGS)
        workspace.finish(item.id, claimed.analysis_key, result(seed=number))
        assert np.array_equal(workspace.relevance(item.id), result().relevance)


def test_a_picture_that_is_deleted_during_its_analysis_is_no_error(workspace: Workspace) -> None:
    item = workspace.add("a.png", picture(), SETTINGS)
    claimed = workspace.claim_next()
    assert claimed is not None
    workspace.delete(item.id)
    workspace.finish(item.id, claimed.analysis_key, result())
    workspace.fail(item.id, claimed.analysis_key, "no memory")
    assert workspace.items() == []


def test_no_two_workers_get_the_same_picture(workspace: Workspace) -> None:
    ids = {workspace.add(f"{i}.png", picture(i), SETTINGS).id for i in range(12)}
    with ThreadPoolExecutor(6) as pool:
        claimed = list(pool.map(lambda _: workspace.claim_next(), range(20)))
    found = [c.id for c in claimed if c]
    assert sorted(found) == sorted(ids)
    workspace.recover()
    assert {i.status for i in workspace.items()} == {"waiting"}
