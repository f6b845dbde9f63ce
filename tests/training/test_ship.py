"""From a recipe to a domain's folder: recipes, stages, and two classes from end to end."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import lrpseg
from lrpseg.core.errors import LrpsegError
from lrpseg.domains import load_domain
from lrpseg.models.checkpoints import read_tensors
from lrpseg.models.tensors import checkpoint_hash
from lrpseg.thresholders import THRESHOLDERS
from tests.training.support import (
    CLASSES,
    NORMALISATION,
    draw_classes,
    make_domain,
    narrow_network,
    ship_words,
)
from training import ship
from training.data.declared import Subject
from training.reports import classification, compare, effort, operating_points
from training.reports import evaluate as evaluating
from training.shipping.recipe import KINDS, read_recipe
from training.shipping.stages import Stages
from training.shipping.tables import RecipeError

RECIPES = Path(__file__).parents[2] / "training" / "recipes"
RECIPE = """\
kind = "classifier"
domain = "drawn"
network = "narrow"
[card]
title = "drawn damage"
purpose = "Tells cracks from blowholes."
data = "Drawn."
limits = ["Seen: what was drawn."]
[[training]]
init = "none"
epochs = 12
crops = 48
batch = 8
lr_fc = 3e-3
lr_conv = 3e-3
[[training]]
init = "before"
epochs = 1
crops = 8
[calibration]
offset = true
"""


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Small tensors: threads that wait for each other cost more than they bring. Of what could be
    measured a part: that there is a row of each is proved elsewhere."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    few = {name: THRESHOLDERS[name] for name in ("simple", "fraction")}
    with narrow_network(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(operating_points, "THRESHOLDERS", few)
        patch.setattr(operating_points, "ROUNDS", 50)
        papers = {name: THRESHOLDERS[name] for name in ("simple", "gmm", "bmm")}
        patch.setattr(evaluating, "THRESHOLDERS", papers)
        patch.setattr(compare, "candidates", lambda: {n: t.fit for n, t in few.items()})
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/, the domain drawn/ and recipe.toml, shipped to out/."""
    root = tmp_path_factory.mktemp("ship")
    draw_classes(root / "data")
    make_domain(root / "drawn")
    (root / "recipe.toml").write_text(RECIPE)
    ship.main(ship_words(root))
    return root


def test_two_classes_are_trained_calibrated_measured_and_opened(place: Path) -> None:
    out = place / "out"
    domain = load_domain(out)
    assert domain.classes.names == CLASSES
    assert list(domain.normalisation.mean) == NORMALISATION["mean"]
    fitted = domain.calibration["narrow"]
    assert isinstance(fitted.slope, tuple)
    assert len(fitted.slope) == 2
    assert fitted.weights == checkpoint_hash(out / "narrow.safetensors")

    held = json.loads((out / "operating-points.json").read_text())
    assert {c.get("class") for c in held["curves"]} == {None, *CLASSES}
    for name in (None, *CLASSES):
        points = lrpseg.load_operating_points(str(out), class_name=name, network="narrow")
        assert points.images == 9  # three of each class, three of both
        assert not points.stale

    scores = json.loads((out / "training" / "classification.json").read_text())
    named = {row["pictures"]: row["balanced_accuracy"]["value"] for row in scores["classes"]}
    assert set(named) == {
        f"{of}: {c}" for c in CLASSES
        for of in ("centre crops", "centre crops with flips", "whole, tiled")
    }  # fmt: skip
    assert min(named[f"whole, tiled: {c}"] for c in CLASSES) > 0.6  # it has learned to tell them

    result = lrpseg.load(str(out), device="cpu")(
        place / "data" / "cracks" / "crack-blowhole-4.png", explain_intact=True
    )
    assert [layer.name for layer in result.layers] == list(CLASSES)
    assert not np.array_equal(result.layers[0].relevance, result.layers[1].relevance)
    assert np.array_equal(result.mask, result.layers[0].mask | result.layers[1].mask)
    card = (out / "narrow.md").read_text()
    for part in ("Model card: drawn damage", "epochs = 12", "whole, tiled: crack", "| blowhole |",
                 "Seen: what was drawn.", "(crack)"):  # fmt: skip
        assert part in card
    assert "## Training 2" in (out / "narrow-report.md").read_text()


def test_what_is_done_is_skipped_and_what_is_gone_is_made_again(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit), ship.told():
        ship.main(ship_words(place))
    assert "--resume" in capsys.readouterr().err
    before = checkpoint_hash(place / "out" / "narrow.safetensors")
    (place / "out" / "operating-points.json").unlink()
    ship.main(ship_words(place, "--resume", "--install"))
    said = capsys.readouterr().out
    for stage in ("training 1", "training 2", "weights", "classification"):
        assert f"{stage}: done before" in said
    assert "operating points: begins" in said
    installed = load_domain(place / "drawn")
    assert checkpoint_hash(installed.checkpoint("narrow")) == before
    assert installed.calibration == load_domain(place / "out").calibration
    assert not lrpseg.load_operating_points(str(place / "drawn")).stale


def test_reports_run_on_a_users_own_domain_with_rows_for_each_class(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(place / "out")
    given = ["--data", str(place / "data"), "--domain", out, "--device", "cpu"]
    words = [*given, "--split", "val", "--out", str(tmp_path), "--no-baselines"]
    text = evaluating.main(words)
    assert (tmp_path / "out-val" / "report.md").read_text() == text
    assert str(place) not in text
    assert text.count("(blowhole) |") == 12  # two rule sets, three thresholders, crops and whole
    stored = json.loads((tmp_path / "out-val" / "results.json").read_text())
    first = stored["classes"]["narrow/ours/simple"]
    assert set(first) == set(CLASSES)
    assert first["crack"]["images"] == 6  # three of cracks, three of both
    classification.main([*given, "--network", "narrow"])
    assert "| whole, tiled: blowhole |" in capsys.readouterr().out
    table = compare.compare(place / "data", out, "narrow", "val", "cpu")
    assert "val crops of out that show crack, network narrow" in table


def test_effort_counts_all_damage_and_each_class(place: Path, tmp_path: Path) -> None:
    words = ["--data", str(place / "data"), "--domain", str(place / "out"), "--device", "cpu"]
    text = effort.main([*words, "--split", "val", "--out", str(tmp_path)])
    stored = json.loads((tmp_path / "out-val-effort" / "results.json").read_text())
    assert set(stored["classes"]) == set(CLASSES)
    for rows in (stored["methods"], *stored["classes"].values()):
        blank, lrp = rows["blank"], rows["LRP, as in the paper"]
        assert blank["iou"] == [0, 0, 0]
        assert lrp["iou"][0] > 0
        assert blank["goals"][0]["strokes"][0] >= 1
    # Who draws both has at least what each of them takes alone.
    alone = [rows["blank"]["goals"][0]["strokes"][0] for rows in stored["classes"].values()]
    assert stored["methods"]["blank"]["goals"][0]["strokes"][0] >= min(alone)
    assert "## crack by itself" in text
    assert "6 crops of" in text


def test_the_domains_normalisation_is_what_training_uses(place: Path) -> None:
    subject = Subject.of(str(place / "drawn"))
    assert list(subject.normalisation.std) == NORMALISATION["std"]
    x = subject.normalisation(torch.full((1, 2, 2, 3), 153, dtype=torch.uint8))
    assert x.abs().max() < 1e-6  # 153 / 255 is the mean
    _, about = read_tensors(place / "out" / "narrow.safetensors")
    assert json.loads(about["classes"]) == list(CLASSES)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda p: p.stem)
def test_shipped_recipes_say_what_the_shipped_files_were_made_with(path: Path) -> None:
    recipe = read_recipe(path)
    domain = load_domain(recipe.domain)
    if recipe.kind == "unet":
        assert not KINDS[recipe.kind].measured
        assert recipe.network not in domain.checkpoints
        return
    _, about = read_tensors(domain.checkpoint(recipe.network))
    made = json.loads(about["config"])
    last = recipe.trainings[-1]
    if recipe.kind == "self-trained":
        last = last.of_round(last.rounds)  # type: ignore[attr-defined]
    for name, value in made.items():
        if name not in ("init", "select", "augmentation"):
            assert getattr(last, name) == value, name
    for name, value in made.get("augmentation", {}).items():
        ours = getattr(last.augmentation, name)  # type: ignore[attr-defined]
        assert (list(ours) if isinstance(ours, tuple) else ours) == value, name
    # "both" is the former name of what is chosen by crops and by whole pictures.
    assert made.get("select") in (None, "both", "all")
    into = recipe.calibration.into if recipe.calibration else None
    assert (recipe.network in domain.calibration) == (into == "domain")
    assert ("calibration" in about) == (into == "weights")
    assert about.get("precision", "fp16") == recipe.precision


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("epochs = 12", "epoch = 12"), r"\[\[training\]\] 1 has no key 'epoch'"),
        (("epochs = 12", 'epochs = "12"'), r"epochs is '12', which is no whole number"),
        (("epochs = 12", "epochs = 0"), r"\[\[training\]\] 1: epochs, crops and batch are 1"),
        (("epochs = 12", "epochs = true"), "no whole number"),
        (("[card]", "[cards]"), "the file has no key 'cards'"),
        (('title = "drawn damage"', ""), r"\[card\] lacks 'title'"),
        (("[[training]]", "[[trainings]]"), "no key 'trainings'"),
        (('kind = "classifier"', 'kind = "tree"'), "kind is 'tree'"),
        (('network = "narrow"', 'network = "broad"'), "network is 'broad'"),
        (("[card]", 'precision = "3-bit"\n[card]'), "the file: There is no precision '3-bit'"),
        (("offset = true", "offset = 1"), "offset is 1, which is no true or false"),
        (("offset = true", 'into = "air"'), "not 'air'"),
        (("offset = true", "offset = "), "cannot be read"),
        (("crops = 48", "augmentation = { zoom = [1, 2, 3] }"), "no list of 2 of number"),
        (("crops = 48", "augmentation = { zooms = [1, 2] }"), "augmentation has no key 'zooms'"),
    ],
)
def test_a_wrong_recipe_names_file_and_key(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    assert change[0] in RECIPE
    path = tmp_path / "wrong.toml"
    path.write_text(RECIPE.replace(*change))
    with pytest.raises(RecipeError, match=told) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)


def test_a_start_file_has_to_be_given(place: Path, tmp_path: Path) -> None:
    path = tmp_path / "start.toml"
    text = RECIPE.replace('init = "none"', 'init = "start"')
    path.write_text(text.replace('"drawn"', json.dumps(str(place / "drawn"))))
    given = [str(path), "--data", str(place / "data"), "--out", str(tmp_path / "o")]
    with pytest.raises(LrpsegError, match="--start FILE"):
        ship.main(given)


def test_stages_are_done_again_where_input_or_output_changed(tmp_path: Path) -> None:
    done: list[str] = []
    file = tmp_path / "a.txt"

    def make() -> None:
        done.append("a")
        file.write_text(str(len(done)))

    stages = Stages(tmp_path, lambda text: None)
    stages.do("a", {"x": 1}, [file], make)
    Stages(tmp_path, lambda text: None).do("a", {"x": 1}, [file], make)
    assert done == ["a"]
    stages.do("a", {"x": 2}, [file], make)
    assert len(done) == 2
    file.write_text("longer than before")
    stages.do("a", {"x": 2}, [file], make)
    assert len(done) == 3
    (tmp_path / "stages.json").write_text("broken")
    stages.do("a", {"x": 2}, [file], make)
    assert len(done) == 4
