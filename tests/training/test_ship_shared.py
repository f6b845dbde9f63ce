"""Networks that share what lies below with one file, from that file to a domain that opens."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import lrpseg
from lrpseg.core.assets import SHARED
from lrpseg.domains import load_domain
from lrpseg.models.tensors import below_of, read_tensors
from lrpseg.thresholders import THRESHOLDERS
from tests.training.support import draw_classes, make_domain, narrow, narrow_network, ship_words
from training import ship
from training.reports import operating_points
from training.shipping import start
from training.shipping.recipe import read_recipe
from training.shipping.tables import RecipeError

RECIPE = """\
kind = "classifier"
domain = "drawn"
network = "narrow"
precision = "8-bit"
below = "narrow-start.safetensors"
[card]
title = "drawn damage"
purpose = "Tells cracks from blowholes."
data = "Drawn."
[[training]]
init = "start"
frozen = 4
epochs = 10
crops = 48
batch = 8
lr_fc = 3e-3
lr_conv = 3e-3
[calibration]
into = "weights"
"""


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with narrow_network(), pytest.MonkeyPatch.context() as patch:
        few = {name: THRESHOLDERS[name] for name in ("simple",)}
        patch.setattr(operating_points, "THRESHOLDERS", few)
        patch.setattr(operating_points, "ROUNDS", 20)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, a domain without networks, a shared file of a narrow VGG-A, and what the recipe
    makes of them."""
    root = tmp_path_factory.mktemp("shared-layers")
    draw_classes(root / "data")
    make_domain(root / "drawn")
    torch.manual_seed(0)
    save_file(narrow().state_dict(), root / "init.safetensors")
    start.main(
        ["--network", "narrow", "--init", str(root / "init.safetensors"), "--about", "drawn by lot",
         "--out", str(root / SHARED / "narrow-start.safetensors")]
    )  # fmt: skip
    (root / "recipe.toml").write_text(RECIPE)
    ship.main(ship_words(root))
    return root


def test_what_is_frozen_is_stored_once(place: Path) -> None:
    shared = place / SHARED / "narrow-start.safetensors"
    tensors, about = read_tensors(shared)
    assert set(tensors) == {k for k in narrow().state_dict() if k.startswith("features.")}
    assert about["source"] == "drawn by lot"
    assert len(about["source_sha256"]) == 64
    made = place / "out" / "narrow.safetensors"
    assert {name.removesuffix(".scale") for name in load_file(made)} == {
        "features.16.weight", "features.16.bias", "features.18.weight", "features.18.bias",
        "classifier.0.weight", "classifier.0.bias",
    }  # fmt: skip
    assert below_of(made) == shared
    held = read_tensors(made)[0]
    assert all(torch.equal(held[k], v) for k, v in tensors.items() if not k.startswith("features.1")
               or k.startswith(("features.11", "features.13")))  # fmt: skip


def test_the_domain_opens_and_goes_on(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = place / "data" / "cracks" / "crack-blowhole-3.png"
    segmenter = lrpseg.load(str(place / "out"), device="cpu")
    result = segmenter(picture, explain_intact=True)
    assert np.isfinite(result.layers[0].relevance).all()
    ship.main(ship_words(place, "--resume"))
    assert "weights: done before" in capsys.readouterr().out


def test_a_start_that_networks_may_stand_on_is_not_overwritten(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = place / SHARED / "narrow-start.safetensors"
    before = path.read_bytes()
    with pytest.raises(SystemExit), start.told():
        start.main(["--network", "narrow", "--init", str(place / "init.safetensors"),
                    "--about", "another", "--out", str(path)])  # fmt: skip
    assert "networks may stand on it" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_what_a_domain_lends_is_lent_with_its_shared_file(place: Path, tmp_path: Path) -> None:
    """A self-trained network is trained beside the classifier of its domain, in another folder."""
    home = tmp_path / "home"
    shutil.copytree(place / "out", home)
    shutil.copy(place / SHARED / "narrow-start.safetensors", home)
    training = RECIPE.partition("[[training]]")[0].replace('"classifier"', '"self-trained"')
    path = tmp_path / "recipe.toml"
    path.write_text(
        training.replace('"drawn"', '"home"').replace('"narrow"', '"self-trained"')
        + '[[training]]\ndrawing = "cracks"\n'
    )
    away = tmp_path / "far" / "away"
    ship._open_folder(
        load_domain(home), ship.Order(read_recipe(path), place / "data", away, None, False, "cpu")
    )
    shutil.rmtree(home)
    assert (
        read_tensors(away / "narrow.safetensors")[0].keys()
        == narrow(("crack", "blowhole")).state_dict().keys()
    )


def test_a_recipe_names_a_file_and_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.replace('"narrow-start', '"../narrow-start'))
    with pytest.raises(RecipeError, match="without a folder"):
        read_recipe(path)
