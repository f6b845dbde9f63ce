"""Commands: the rules of each action, whoever asks for it."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from lrpseg.app import commands, views
from lrpseg.cli import main
from lrpseg.core.errors import ImageError, LrpsegError, OptionError
from lrpseg.domains import assets_folder, load_domain
from lrpseg.folders import Job
from lrpseg.formats.base import png
from lrpseg.masks.render import mask_image
from lrpseg.pipeline.curves import FILE_NAME
from lrpseg.pipeline.defaults import default_settings
from lrpseg.workspace import Workspace
from tests.workspace_support import analysed, picture


@pytest.fixture
def workspace(tmp_path: Path, only_toy: None) -> Workspace:
    return Workspace(tmp_path / "workspace")


def test_figures_of_an_empty_truth_are_those_of_the_page(workspace: Workspace) -> None:
    item = analysed(workspace)
    assert workspace.mask(item.id).any()
    nothing = np.zeros((item.height, item.width), bool)
    commands.set_truth(workspace, item.id, png(mask_image(nothing)))
    found = commands.figures(workspace, item.id)
    assert (found.iou, found.precision, found.recall) == (0, 0, 1)
    with pytest.raises(LrpsegError, match="no ground truth"):
        commands.figures(workspace, analysed(workspace, "b.png").id)


def test_a_mask_that_nobody_saw_is_not_accepted(workspace: Workspace) -> None:
    item = analysed(workspace)
    shown = {"analysis": views.analysis_name(item), "revision": item.revision}
    commands.check_shown(item, shown)
    commands.check_shown(item, None)
    for wrong in ({"revision": item.revision + 1}, {"analysis": "another"}):
        with pytest.raises(commands.ChangedError, match="Look at it again"):
            commands.check_shown(item, {**shown, **wrong})


@pytest.mark.parametrize("seconds", ["x", None, []])
def test_seconds_are_a_number(workspace: Workspace, seconds: object) -> None:
    item = analysed(workspace)
    with pytest.raises(OptionError, match="number"):
        commands.spend(workspace, item.id, seconds)


@pytest.mark.parametrize(("given", "kept"), [(12.5, 12.5), (-3, 0), (float("nan"), 0), (1e9, 3600)])
def test_odd_seconds_are_not_believed(workspace: Workspace, given: float, kept: float) -> None:
    item = analysed(workspace)
    commands.spend(workspace, item.id, given)
    assert workspace.item(item.id).seconds == kept


@pytest.mark.parametrize("area", [-1, 1.5, True, "3", 10**10])
def test_areas_are_whole_numbers(workspace: Workspace, area: object) -> None:
    item = analysed(workspace)
    with pytest.raises(OptionError, match="whole number"):
        commands.set_cleaning(workspace, item.id, area, 0)


@pytest.mark.parametrize("domain", ["../toy", "/etc", "a\\b", ".", ".."])
def test_a_visitor_names_a_domain_and_no_folder(only_toy: None, domain: str) -> None:
    with pytest.raises(OptionError, match="domain's name"):
        commands.settings_of(domain, trusted=False)


def test_empty_choices_become_the_best(only_toy: None) -> None:
    assert commands.settings_of("toy", network="", refiner="") == default_settings(
        load_domain("toy")
    )


def test_all_pictures_get_settings_but_those_that_are_done(workspace: Workspace) -> None:
    class Sleeping:
        def wake(self, workspace: Workspace) -> None:
            pass

    class Service:
        analyser = Sleeping()

    open_, done = analysed(workspace, "a.png"), analysed(workspace, "b.png")
    commands.set_status(workspace, done.id, "accepted")
    settings = open_.settings.but(thresholder="gmm")
    commands.apply_to_all(Service(), workspace, settings)  # type: ignore[arg-type]
    found = {item.name: item.settings.thresholder for item in workspace.items()}
    assert found == {"a.png": "gmm", "b.png": done.settings.thresholder}


def test_replaced_points_are_seen_while_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = assets_folder() / "magnetic-tile"
    folder = tmp_path / "magnetic-tile"
    folder.mkdir()
    for file in shipped.iterdir():
        os.link(file, folder / file.name) if file.suffix == ".safetensors" else (
            folder / file.name
        ).write_bytes(file.read_bytes())
    monkeypatch.setenv("LRPSEG_ASSETS", str(tmp_path))
    settings = default_settings(load_domain("magnetic-tile"))
    before = views.operating_points(settings)
    assert before is not None
    held = json.loads((folder / FILE_NAME).read_text())
    held["images"] = before.images + 1
    (folder / FILE_NAME).write_text(json.dumps(held))
    os.utime(folder / FILE_NAME, ns=(1, 1))
    after = views.operating_points(settings)
    assert after is not None
    assert after.images == before.images + 1
    (folder / FILE_NAME).unlink()
    assert views.operating_points(settings) is None


def test_annotate_loads_its_network_once(
    tmp_path: Path, only_toy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []
    load = Job.segmenter

    def counted(job: Job, device: str = "auto") -> object:
        loaded.append(device)
        return load(job, device)

    monkeypatch.setattr(Job, "segmenter", counted)
    (tmp_path / "a.png").write_bytes(picture())
    arguments = [str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--domain", "toy"]
    assert main(["annotate", *arguments, "--device", "cpu"]) == 0
    assert loaded == ["cpu"]


def test_a_file_of_any_size_is_not_read(tmp_path: Path) -> None:
    from lrpseg.core.images import read_limited

    (tmp_path / "a.png").write_bytes(b"12345")
    assert read_limited(tmp_path / "a.png", 5) == b"12345"
    with pytest.raises(ImageError, match="the limit is"):
        read_limited(tmp_path / "a.png", 4)
    with pytest.raises(ImageError, match="Try again"):
        read_limited(tmp_path / "b.png", 4)
