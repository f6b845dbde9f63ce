"""A drawn domain of two classes, from its `domain.json` to exports, sessions and the routes."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from starlette.applications import Starlette
from starlette.testclient import TestClient

import lrpseg
from lrpseg.app import commands
from lrpseg.app.analyser import Analyser, Segmenters
from lrpseg.app.service import Service
from lrpseg.folders import Job, annotate
from lrpseg.formats.base import png
from lrpseg.formats.reading import matched, read_masks
from lrpseg.masks.render import mask_image
from lrpseg.models.checkpoints import save_checkpoint
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.defaults import default_settings
from lrpseg.web.routes import TOKEN, make_routes
from lrpseg.workspace import Limits, Sessions, Workspace, WorkspaceError, load_session, save_session
from tests.narrow import NARROW

CLASSES = ("crack", "hole")


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The domain `two`: a random network that is sure of cracks everywhere, and unsure of holes."""
    folder = tmp_path_factory.mktemp("assets")
    torch.manual_seed(1)
    model = NARROW.build(CLASSES)
    with torch.no_grad():
        model.head[-1].bias.copy_(torch.tensor([3.0, 0.5]))
    (folder / "two").mkdir()
    save_checkpoint(model, folder / "two" / "one-fc.safetensors", "one-fc")
    entry = {
        "title": "Drawn surfaces",
        "intact": "intact",
        "classes": ["crack", {"name": "hole", "title": "Blowhole", "colour": "#e69f00"}],
        "normalisation": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
        "checkpoints": {"one-fc": "one-fc.safetensors"},
    }
    (folder / "two" / "domain.json").write_text(json.dumps(entry))
    return folder


@pytest.fixture(autouse=True)
def _only_two(assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRPSEG_ASSETS", str(assets))
    monkeypatch.setitem(NETWORKS._things, "one-fc", NARROW)


@pytest.fixture(scope="module")
def picture() -> bytes:
    image = np.random.default_rng(0).integers(150, 200, (230, 240, 3), dtype=np.uint8)
    image[100:110, 20:200] = 30
    from PIL import Image

    return png(Image.fromarray(image))


@pytest.fixture
def analysed(tmp_path: Path, picture: bytes) -> tuple[Workspace, str]:
    """A workspace with one analysed picture, and its id."""
    workspace = Workspace(tmp_path / "workspace")
    result = lrpseg.load("two", thresholder="simple", device="cpu")(picture)
    settings = default_settings(result_domain(), thresholder="simple")
    item = workspace.add("a.png", picture, settings, result=result)
    return workspace, item.id


def result_domain() -> lrpseg.domains.Domain:
    return lrpseg.domains.load_domain("two")


def test_each_class_has_a_probability_and_a_map_of_its_own(picture: bytes) -> None:
    result = lrpseg.load("two", thresholder="simple", device="cpu")(picture)
    assert [layer.name for layer in result.layers] == list(CLASSES)
    crack, hole = result.layers
    assert crack.probability != hole.probability
    assert crack.explained
    assert not np.array_equal(crack.relevance, hole.relevance)
    assert np.array_equal(result.mask, crack.mask | hole.mask)
    assert result.probability == max(crack.probability, hole.probability)


def test_a_run_writes_the_classes_in_every_format(
    tmp_path: Path, picture: bytes, assets: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(picture)
    formats = ("png", "png-indexed", "coco", "yolo", "labelme", "label-studio", "cvat-images")
    job = Job.make("two", thresholder="simple", min_probability=0.0, formats=formats)
    report = annotate([str(tmp_path / "in")], tmp_path / "out", job, device="cpu")
    assert report.failures == 0
    result = job.segmenter("cpu")(picture, explain_intact=True)
    masks = {layer.name: layer.mask for layer in result.layers}
    for kind in ("coco", "labelme", "png"):
        source = tmp_path / "out" / kind
        (read,) = matched(read_masks(source, kind), {"a.png": (230, 240)})
        assert set(read.layers) == {name for name, mask in masks.items() if mask.any()}, kind
        for name, mask in read.layers.items():
            assert np.array_equal(mask, masks[name]), (kind, name)
    row = json.loads((tmp_path / "out" / "pictures.jsonl").read_text())
    assert row["classes"]["hole"]["pixels"] == masks["hole"].sum()
    lost = json.loads((tmp_path / "out" / "report.json").read_text())["formats"]["png-indexed"]
    both = int((masks["crack"] & masks["hole"]).sum())
    assert sum(entry["pixels"] for entry in lost.get("overlaps", [])) == both
    again = annotate([], tmp_path / "out", job, resume=True, device="cpu")
    assert again.pictures == 1


def test_thresholds_strokes_and_masks_are_of_a_class(analysed: tuple[Workspace, str]) -> None:
    workspace, id = analysed
    before = workspace.masks(id)
    commands.correct(workspace, id, (5, 6, 3, 2), bytes([1] * 6), class_name="hole")
    after = workspace.masks(id)
    assert np.array_equal(after["crack"], before["crack"])
    assert after["hole"][6:8, 5:8].all()
    assert np.array_equal(workspace.mask(id), after["crack"] | after["hole"])
    commands.set_threshold(workspace, id, 1.0, "crack")
    assert workspace.item(id).layer("hole").threshold is None
    with pytest.raises(WorkspaceError, match="crack, hole"):
        commands.correct(workspace, id, (0, 0, 1, 1), b"\1")
    commands.set_truth(workspace, id, png(mask_image(after["hole"])), "hole")
    assert commands.figures(workspace, id, "hole").iou == 1


def test_a_session_carries_the_classes(analysed: tuple[Workspace, str], tmp_path: Path) -> None:
    workspace, id = analysed
    for place, name in enumerate(CLASSES):
        commands.correct(workspace, id, (place, 0, 1, 1), b"\1", class_name=name)
    save_session(workspace, tmp_path / "s.zip")
    other = Workspace(tmp_path / "other")
    (loaded,) = load_session(other, tmp_path / "s.zip", Limits())
    for place, name in enumerate(CLASSES):
        drawn = other.corrections(loaded, name)
        assert drawn[0, place] == 1
        assert drawn.sum() == 1


def test_an_export_comes_back_as_corrections(
    analysed: tuple[Workspace, str], tmp_path: Path, picture: bytes
) -> None:
    workspace, id = analysed
    masks = workspace.masks(id)
    commands.export_masks(workspace, ["coco"], tmp_path / "out")
    other = Workspace(tmp_path / "other")
    settings = default_settings(result_domain())
    result = lrpseg.load("two", device="cpu")(picture)
    new = other.add("a.png", picture, settings, result=result).id
    paths = [tmp_path / "out" / "coco" / "annotations.json"]
    done = commands.import_files(other, paths, Limits())
    assert done.refused == []
    for name, mask in other.masks(new).items():
        assert np.array_equal(mask, masks[name]), name


@pytest.fixture
def client(tmp_path: Path) -> Iterator[tuple[TestClient, Service]]:
    service = Service(Sessions(tmp_path / "page"), Analyser(Segmenters("cpu")), Limits())
    app = Starlette(routes=make_routes(service))
    try:
        yield TestClient(app), service
    finally:
        service.analyser.stop()


def test_the_page_gets_and_gives_a_class_at_a_time(
    client: tuple[TestClient, Service], picture: bytes
) -> None:
    browser, service = client
    token, workspace = commands.open_workspace(service)
    settings = default_settings(result_domain(), thresholder="simple")
    result = lrpseg.load("two", thresholder="simple", device="cpu")(picture)
    id = workspace.add("a.png", picture, settings, result=result).id
    headers = {TOKEN: token}
    told = browser.get(f"/lrpseg/items/{id}", headers=headers).json()
    assert [layer["name"] for layer in told["layers"]] == list(CLASSES)
    assert told["layers"][1]["title"] == "Blowhole"
    assert told["layers"][1]["colour"] == "#e69f00"
    assert "Crack, p" in told["verdict"]
    for layer in told["layers"]:
        of = {"class": layer["name"]}
        levels = browser.get(f"/lrpseg/items/{id}/levels", headers=headers, params=of).content
        quantised = np.frombuffer(levels, np.uint8).reshape(230, 240)
        shown = (quantised >= layer["level"]) & layer["explained"]
        assert np.array_equal(shown, workspace.mask(id, layer["name"])), layer["name"]
    stroke = {"x": 1, "y": 2, "w": 2, "h": 1, "class": "hole"}
    answer = browser.post(
        f"/lrpseg/items/{id}/corrections",
        headers={**headers, "content-encoding": "gzip"},
        params=stroke,
        content=gzip.compress(bytes([1, 2])),
    )
    assert answer.status_code == 200, answer.text
    assert workspace.corrections(id, "hole")[2, 1:3].tolist() == [1, 2]
    assert not workspace.corrections(id, "crack").any()
    level = {"level": 3, "analysis": told["analysis"]}
    browser.post(
        f"/lrpseg/items/{id}/settings", headers=headers, params={"class": "hole"}, json=level
    )
    wanted = told["layers"][1]["levels"][3]
    assert workspace.item(id).layer("hole").threshold == pytest.approx(wanted)
    assert workspace.item(id).layer("crack").threshold is None
