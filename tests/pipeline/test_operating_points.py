"""Operating points: measured against a slow reference, chosen from literal curves, stored."""

import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest

import lrpseg
from lrpseg.core.errors import OptionError
from lrpseg.domains import assets_folder, list_domains, load_domain
from lrpseg.lrp import RULE_SETS
from lrpseg.masks.figures import count, means
from lrpseg.models.checkpoints import checkpoint_hash
from lrpseg.pipeline.curves import FILE_NAME, FORMAT
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.operating_curve import columns
from lrpseg.pipeline.operating_points import load_operating_points, weights_hash
from lrpseg.pipeline.settings import BEST, MEASURED, Settings
from lrpseg.refiners import REFINERS
from lrpseg.thresholders import THRESHOLDERS
from training.data.datasets import DataError
from training.reports import operating_points as maker

FEW = maker.GRID[::50]
"""Thresholds that are measured here: what is stored, and by whom, does not depend on how many."""

REGIONS = ("a", "a", "b", "c", "c", "c")
LIMIT = 800_000
"""Bytes that a domain's file may have."""


# --------------------------------------------------------------------------------------- storing


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: damaged pictures in val and test, and one whose mask is empty."""
    root = tmp_path_factory.mktemp("data")
    for folder in ("damaged", "intact", "masks"):
        (root / folder).mkdir()
    random = np.random.default_rng(0)
    for name in ("0", "1", "2", "blank"):
        image = random.integers(150, 200, (224, 240, 3), dtype=np.uint8)
        mask = np.zeros((224, 240), np.uint8)
        if name != "blank":
            image[100:120, 110:130] = 30
            mask[100:120, 110:130] = 255
        cv2.imwrite(str(root / "damaged" / f"{name}.png"), image)
        cv2.imwrite(str(root / "masks" / f"{name}.png"), mask)
        cv2.imwrite(str(root / "intact" / f"i{name}.png"), image)
    splits = {
        "train": [],
        "val": ["damaged/0.png", "damaged/1.png", "damaged/blank.png", "intact/i0.png"],
        "test": ["damaged/2.png"],
    }
    (root / "split.json").write_text(json.dumps({"splits": splits}))
    return root


@pytest.fixture(scope="module")
def text(toy_assets: Path, data: Path) -> str:
    """What the maker writes for the toy domain."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRPSEG_ASSETS", str(toy_assets))
        patch.setattr(maker, "GRID", FEW)
        return maker.measure(data, "toy", seed=5)


@pytest.fixture
def toy(toy_assets: Path, tmp_path: Path, text: str) -> Path:
    """An assets folder of its own with the toy domain and its operating points."""
    folder = tmp_path / "assets" / "toy"
    folder.mkdir(parents=True)
    for file in (toy_assets / "toy").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / FILE_NAME).write_text(text)
    return folder


def test_every_combination_is_measured_and_read_back(toy: Path, text: str) -> None:
    held = json.loads(text)
    assert len(held["curves"]) == len(RULE_SETS) * len(THRESHOLDERS) * len(REFINERS)
    for names in product(RULE_SETS, THRESHOLDERS, REFINERS):
        asked = dict(zip(("rule_set", "thresholder", "refiner"), names, strict=True))
        points = lrpseg.load_operating_points("toy", **asked, assets=toy.parent)
        (entry,) = (c for c in held["curves"] if asked.items() <= c.items())
        assert columns(points.curve) == entry["curve"]
        assert columns([points.own]) == entry["own"]
        assert points.average_precision == entry["average_precision"]
        assert (points.split, points.images, points.regions) == ("val", 2, 2)
        assert not points.stale
        recalls = [p.recall for p in points.curve]
        assert recalls == sorted(recalls, reverse=True)
        assert recalls[0] == 1
    by_folder = load_operating_points(str(toy))
    assert by_folder == load_operating_points("toy", assets=toy.parent)


def test_the_file_says_how_it_was_made(toy: Path, text: str) -> None:
    held = json.loads(text)
    assert {k: held[k] for k in ("format", "domain", "start", "pooling", "split", "seed")} == {
        "format": FORMAT,
        "domain": "toy",
        "start": "log-odds",
        "pooling": "average",
        "split": "val",
        "seed": 5,
    }
    assert (held["images"], held["regions"]) == (2, 2)  # the blank mask is left out
    assert len(held["checkpoints"]["one-fc"]) == 64
    for word in ("Means", "centre crops", "float32", "empty mask", "regions"):
        assert word in held["metric"]


def test_figures_are_those_of_the_segmenter(toy: Path, data: Path) -> None:
    names = {"thresholder": "gmm", "refiner": "intensity"}
    segmenter = lrpseg.load("toy", **names, assets=toy.parent, device="cpu")
    points = load_operating_points("toy", **names, assets=toy.parent)
    truth = np.zeros((224, 224), bool)
    truth[100:120, 102:122] = True  # the centre crop of a picture 240 wide begins at 8
    pictures = [cv2.imread(str(data / "damaged" / f"{i}.png"))[:, 8:232, ::-1] for i in (0, 1)]
    results = [segmenter(np.ascontiguousarray(p)) for p in pictures]
    for measured in (points.curve[0], points.curve[25], points.curve[-1]):
        figures = means([count(r.at(measured.threshold), truth) for r in results])
        # Engines may differ in the last digit with the batch, hence a pixel or two of 400.
        assert measured.recall == pytest.approx(figures.recall, abs=0.01)
        assert measured.precision == pytest.approx(figures.precision, abs=0.01)


def test_other_weights_make_the_points_stale(toy: Path) -> None:
    weights = toy / "one-fc.safetensors"
    with weights.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    assert load_operating_points("toy", assets=toy.parent).stale
    weights.unlink()
    assert load_operating_points("toy", assets=toy.parent).stale


def test_a_missing_file_is_named_with_what_makes_it(toy: Path) -> None:
    (toy / FILE_NAME).unlink()
    with pytest.raises(OptionError, match="is missing") as caught:
        load_operating_points("toy", assets=toy.parent)
    assert str(toy / FILE_NAME) in str(caught.value)
    assert "python -m training.reports.operating_points --data DIR --domain toy" in str(
        caught.value
    )


@pytest.mark.parametrize(
    "asked", [{"network": "128n"}, {"start": "logit"}, {"pooling": "max"}], ids=str
)
def test_a_missing_combination_is_named_with_those_there(toy: Path, asked: dict[str, str]) -> None:
    with pytest.raises(OptionError, match="has no operating points of") as caught:
        load_operating_points("toy", assets=toy.parent, **asked)  # type: ignore[arg-type]
    says = str(caught.value)
    assert str(toy / FILE_NAME) in says
    assert repr(*asked.values()) in says
    assert "network one-fc; rule set ours, montavon; thresholder simple, gmm, bmm" in says
    assert "python -m training.reports.operating_points" in says


def test_what_is_not_given_becomes_the_best_beside_what_is(toy: Path, text: str) -> None:
    held = json.loads(text)
    for entry in held["curves"]:
        entry["own"]["iou"] = [0.1]
    chosen = {("ours", "gmm"): 0.4, ("montavon", "bmm"): 0.5}
    for entry in held["curves"]:
        plain = entry["refiner"] == "none"
        figure = chosen.get((entry["rule_set"], entry["thresholder"]), 0.1)
        entry["own"]["iou"] = [figure if plain else figure / 2]
    (toy / FILE_NAME).write_text(json.dumps(held))
    domain = load_domain("toy", toy.parent)

    def best(**given: str) -> tuple[str, ...]:
        found = default_settings(domain, **given)
        return tuple(getattr(found, name) for name in BEST)

    assert best() == ("one-fc", "montavon", "bmm", "none")
    assert best(rule_set="ours") == ("one-fc", "ours", "gmm", "none")
    assert best(thresholder="gmm") == ("one-fc", "ours", "gmm", "none")
    assert best(refiner="intensity")[2] == "bmm"
    assert lrpseg.load("toy", assets=toy.parent, device="cpu").settings.thresholder == "bmm"
    (toy / FILE_NAME).unlink()
    assert best() == ("one-fc", "ours", "simple", "none")
    with pytest.raises(OptionError, match="no rule set 'moon'"):
        best(rule_set="moon")


@pytest.mark.parametrize("choice", MEASURED)
def test_names_that_do_not_exist_list_those_that_do(toy: Path, choice: str) -> None:
    with pytest.raises(OptionError, match="Choose one of"):
        load_operating_points("toy", assets=toy.parent, **{choice: "moon"})  # type: ignore[arg-type]


def damaged_file(kind: str, text: str) -> str:
    held = json.loads(text)
    entry = held["curves"][0]
    if kind == "cut":
        return text[: len(text) // 2]
    if kind == "format":
        held["format"] = FORMAT + 1
    elif kind == "list":
        held = []
    elif kind == "figure":
        entry["curve"]["iou"][3] = 1.5
    elif kind == "lengths":
        entry["curve"]["iou"].pop()
    elif kind == "order":
        entry["curve"]["threshold"][2:4] = entry["curve"]["threshold"][3:1:-1]
    elif kind == "ends":
        entry["curve"] = {k: v[1:] for k, v in entry["curve"].items()}
    elif kind == "key":
        del entry["own"]
    return json.dumps(held)


@pytest.mark.parametrize(
    "kind", ["cut", "format", "list", "figure", "lengths", "order", "ends", "key"]
)
def test_a_damaged_file_is_one_clear_error(toy: Path, text: str, kind: str) -> None:
    (toy / FILE_NAME).write_text(damaged_file(kind, text))
    first = json.loads(text)["curves"][0]
    asked = {choice: first[choice] for choice in MEASURED}
    with pytest.raises(OptionError, match="cannot be used") as caught:
        load_operating_points("toy", assets=toy.parent, **asked)
    default_settings(load_domain("toy", toy.parent))  # a default is no reason to fail
    assert "python -m training.reports.operating_points" in str(caught.value)


@pytest.mark.parametrize("split", ["train", "test", "audit"])
def test_only_val_is_measured(toy_assets: Path, data: Path, split: str) -> None:
    with pytest.raises(DataError, match=f"'val' alone; '{split}' was given"):
        maker.measure(data, "toy", split=split)
    out = data / "never.json"
    with pytest.raises(DataError):
        maker.main(["--data", str(data), "--split", split, "--out", str(out)])
    assert not out.exists()


def test_a_split_without_masks_is_refused() -> None:
    with pytest.raises(DataError, match="no damaged picture with a mask"):
        maker.damaged_crops([])


def test_the_command_writes_the_same_beside_the_weights(
    toy: Path,
    data: Path,
    text: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(maker, "GRID", FEW)
    (toy / FILE_NAME).unlink()
    maker.main(["--data", str(data), "--domain", str(toy), "--seed", "5", "--networks", "one-fc"])
    assert (toy / FILE_NAME).read_text() == text
    assert str(toy / FILE_NAME) in capsys.readouterr().out


@pytest.mark.parametrize("domain", list_domains())
def test_shipped_points_are_those_of_the_shipped_weights(domain: str) -> None:
    path = assets_folder() / domain / FILE_NAME
    assert path.stat().st_size < LIMIT
    for network, rule_set, thresholder, refiner in product(
        load_domain(domain).checkpoints, RULE_SETS, THRESHOLDERS, REFINERS
    ):
        points = load_operating_points(
            domain, network=network, rule_set=rule_set, thresholder=thresholder, refiner=refiner
        )
        assert not points.stale
        assert points.split == "val"
        assert points.best_iou().iou > 0


def test_reading_points_imports_no_training_and_no_page() -> None:
    code = (
        "import sys, lrpseg.pipeline.operating_points; "
        "print([m for m in sys.modules if m.split('.')[0] in ('gradio', 'training') "
        "or m.startswith('lrpseg.ui')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_weights_hash_names_all_files_that_decide() -> None:
    domain = load_domain("magnetic-tile")
    own, beside = (checkpoint_hash(domain.checkpoints[n]) for n in ("self-trained", "128n"))
    assert domain.classifier == "128n"
    settings = Settings(
        domain="magnetic-tile", network="128n", rule_set="ours", thresholder="simple"
    )
    assert weights_hash(domain, settings) == beside
    assert weights_hash(domain, settings.but(network="self-trained")) == f"{own}+{beside}"
