"""Masks that nobody drew: proposals, crops, a training from end to end, and the network in use."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import lrpseg
from lrpseg.core.errors import CheckpointError, OptionError
from lrpseg.domains import Normalisation, load_domain
from lrpseg.domains.weights import load_decider
from lrpseg.models.checkpoints import load_checkpoint, save_checkpoint
from lrpseg.models.self_trained import Decider, SelfTrained
from lrpseg.models.tensors import fill
from lrpseg.thresholders import Fitted
from tests.conftest import DOMAIN, add_self_trained
from tests.training.support import draw_blowholes
from tests.training.support import noise as surface
from training.data import proposals
from training.data.drawn_damage import DRAWINGS
from training.data.proposals import REACH, mistakes, propose, propose_from_lrp
from training.data.readers import read
from training.data.self_training_crops import (
    Proposed,
    SelfTrainingCrops,
    Shares,
    part,
    vary,
    zoomed,
)
from training.loops import self_train
from training.reports.systems import network_maps

pytestmark = pytest.mark.usefixtures("narrow")
CPU = torch.device("cpu")
DRAWING = DRAWINGS["blowholes-and-cracks"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in one order: exact comparisons hold whatever else the machine does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# ------------------------------------------------------------------------------------- proposals


def test_lrps_proposal_counts_by_the_distance_from_the_threshold() -> None:
    likelihood = np.array([[0.0, 0.275, 0.55, 0.775, 1.0]], np.float32)
    mask, weight = propose_from_lrp(Fitted(likelihood, float(np.float32(0.55)), True, 1))
    assert mask.tolist() == [[False, False, True, True, True]]
    assert np.allclose(weight, [[1, 0.5, 0.1, 0.5, 1]], atol=1e-5)


def test_what_only_one_of_two_finds_does_not_count() -> None:
    likelihood, lrp = np.full((80, 80), 0.1, np.float32), np.zeros((80, 80), bool)
    likelihood[10:20, 10:20] = 0.9  # both, shifted by a few pixels
    lrp[12:22, 12:22] = True
    likelihood[60:70, 10:20] = 0.8  # the network alone
    lrp[60:70, 60:70] = True  # LRP alone
    mask, weight = propose(likelihood, lrp)
    assert mask[10:20, 10:20].all()
    assert mask.sum() == 100
    assert (weight[60:70, 10:20] == 0).all()
    assert (weight[60:70, 60:70] == 0).all()
    assert np.allclose(weight[10:20, 10:20], 0.8)
    assert np.allclose(weight[40, 40], 0.8)


@pytest.mark.parametrize(("gap", "near"), [(REACH // 2, True), (REACH // 2 + 1, False)])
def test_near_is_half_the_reach(gap: int, near: bool) -> None:
    likelihood, lrp = np.zeros((20, 60), np.float32), np.zeros((20, 60), bool)
    likelihood[8:12, 10:20] = 1
    lrp[8:12, 19 + gap] = True
    assert propose(likelihood, lrp)[0].any() == near


def test_mistakes_are_crops_around_what_looks_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    images = [surface(0, 224, 400), surface(1)]
    images[0][30:40, 350:360] = 0

    def predict(
        network: object, tiles: np.ndarray, device: object, normalise: object
    ) -> np.ndarray:
        return (tiles[..., 0] < 100).astype(np.float32)

    monkeypatch.setattr(proposals.unet, "predict", predict)
    found = mistakes(images, torch.nn.Identity(), CPU, Normalisation())
    assert len(found) == 1
    assert found[0].image.shape == (224, 224, 3)
    assert (found[0].image[..., 0] < 100).sum() == 100
    assert not found[0].mask.any()
    assert (found[0].weight == 1).all()


# ----------------------------------------------------------------------------------------- crops


def marked(size: int = 224) -> Proposed:
    """A crop whose image, mask and weight say the same: moved alike, they still do."""
    mask = np.zeros((size, size), bool)
    mask[60:90, 100:140] = True
    image = np.where(mask, 200, 100).astype(np.uint8)[..., None].repeat(3, axis=2)
    return Proposed(image, mask, np.where(mask, 1, 0.25).astype(np.float32))


@pytest.mark.parametrize("seed", range(5))
def test_image_mask_and_weight_move_together(seed: int) -> None:
    random = np.random.default_rng(seed)
    image, mask, weight = part(*zoomed(marked(), random), 128, random)
    assert image.shape == (128, 128, 3)
    assert mask.any()
    assert ((image[..., 0] >= 150) == mask).mean() > 0.99
    assert ((weight >= 0.625) == mask).mean() > 0.99
    image, mask, weight = vary(image, mask, weight, random)
    middle = (float(image[mask].mean()) + float(image[~mask].mean())) / 2
    assert ((image[..., 0] >= middle) == mask).mean() > 0.97
    assert ((weight >= 0.625) == mask).mean() > 0.99


def test_parts_of_intact_crops_are_anywhere() -> None:
    image = np.arange(224, dtype=np.uint8)[:, None, None].repeat(224, 1).repeat(3, 2)
    empty, ones = np.zeros((224, 224), bool), np.ones((224, 224), np.float32)
    tops = {
        int(part(image, empty, ones, 128, np.random.default_rng(s))[0][0, 0, 0]) for s in range(60)
    }
    assert min(tops) < 15
    assert max(tops) > 80


def crops(shares: Shares, mistaken: list[Proposed], count: int = 40) -> SelfTrainingCrops:
    images = [surface(0), surface(1)]
    return SelfTrainingCrops(images, [[marked()]], mistaken, shares, DRAWING, 128, count, seed=3)


def test_crops_are_fixed_by_seed_epoch_and_index() -> None:
    one, other = crops(Shares(0.4, 0.3), []), crops(Shares(0.4, 0.3), [])
    for a, b in zip(one[7], other[7], strict=True):
        assert np.array_equal(a, b)
    other.epoch = 1
    assert not np.array_equal(one[7][0], other[7][0])


def test_shares_are_kept() -> None:
    wrong = Proposed(np.zeros((224, 224, 3), np.uint8), np.zeros((224, 224), bool),
                     np.ones((224, 224), np.float32))  # fmt: skip
    kinds = {"real": 0, "drawn": 0, "intact": 0, "mistaken": 0}
    source = crops(Shares(0.4, 0.4), [wrong], count=300)
    for index in range(len(source)):
        image, mask, weight = source[index]
        if weight.min() < 1:
            kinds["real"] += 1
        elif mask.any():
            kinds["drawn"] += 1
        elif image.max() < 60:
            kinds["mistaken"] += 1
        else:
            kinds["intact"] += 1
    assert np.allclose([v / 300 for v in kinds.values()], [0.4, 0.2, 0.2, 0.2], atol=0.08)


# ------------------------------------------------------------------------------------- end to end


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of surfaces, some with a drawn blowhole."""
    return draw_blowholes(tmp_path_factory.mktemp("self"))


def words(data: Path, assets: Path, out: Path, *more: str) -> list[str]:
    given = {"data": data, "domain": assets / "toy", "out": out, "epochs": 1, "crops": 4,
             "batch": 4, "size": 64, "accelerator": "cpu"}  # fmt: skip
    pairs = [word for key, value in given.items() for word in (f"--{key}", str(value))]
    return [*pairs, "--drawing", "blowholes-and-cracks", *more]


def test_two_rounds_give_a_network_that_loads_and_resuming_changes_nothing(
    data: Path, narrow_assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    self_train.main(words(data, narrow_assets, tmp_path / "whole"))
    printed = capsys.readouterr().out
    assert "4 of 4 damaged crops have a proposal" in printed
    classifier = load_checkpoint(narrow_assets / "toy" / "one-fc.safetensors", "one-fc")

    def trained(folder: str) -> SelfTrained:
        own = Decider.untrained(classifier).own
        return fill(own, tmp_path / folder / "self-trained.safetensors", "self-trained")

    model = trained("whole")
    assert model.belongs_to(classifier)
    assert float(model.trust) != 1  # fitted, whatever to
    # A kill after the first round: the second one is done again, the same.
    shutil.copytree(tmp_path / "whole" / "round-1", tmp_path / "parts" / "round-1")
    self_train.main(words(data, narrow_assets, tmp_path / "parts", "--resume"))
    again = trained("parts")
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


@pytest.fixture
def assets(narrow_assets: Path, tmp_path: Path) -> Path:
    """Assets whose domain has a classifier and a network that segments dark pixels by itself."""
    folder = tmp_path / "assets"
    shutil.copytree(narrow_assets, folder)
    add_self_trained(folder / "toy", seed=2)
    return folder


def test_a_network_that_segments_gives_its_likelihood_and_lrp_the_reason(
    assets: Path, picture: np.ndarray
) -> None:
    crop = picture[:224, :224].copy()
    own = lrpseg.load("toy", network="self-trained", thresholder="fraction", assets=assets,
                      device="cpu")  # fmt: skip
    result = own(crop, explain_intact=True)
    reason = lrpseg.load("toy", network="one-fc", assets=assets, device="cpu")(crop)
    assert result.own_likelihood is not None
    assert np.allclose(result.relevance, reason.relevance, atol=1e-5 * reason.relevance.max())
    made = network_maps(load_domain("toy", assets), own.settings, crop[None], CPU)
    assert np.allclose(result.own_likelihood, made.maps[0, 0], atol=1e-5)
    assert result.probability == pytest.approx(float(made.probabilities[0, 0]), abs=1e-5)
    share = result.own_likelihood / result.own_likelihood.max()
    assert np.allclose(result.likelihood, share, atol=1e-6)
    refined = result.using("simple", "intensity")
    assert (refined.settings.thresholder, refined.settings.refiner) == ("simple", "intensity")
    with pytest.raises(OptionError, match="no refiner"):
        result.using(refiner="sharpen")


def test_likelihoods_of_large_pictures_are_merged_like_relevance(assets: Path) -> None:
    segmenter = lrpseg.load("toy", network="self-trained", assets=assets, device="cpu")
    result = segmenter(surface(5, 230, 500), explain_intact=True)
    assert result.own_likelihood is not None
    assert result.own_likelihood.shape == result.relevance.shape == (230, 500)
    assert 0 <= result.own_likelihood.min() <= result.own_likelihood.max() <= 1 + 1e-6
    assert np.abs(np.diff(result.own_likelihood, axis=1)).max() < 0.9  # no seam


def test_without_a_classifier_there_is_no_reason_to_show(assets: Path) -> None:
    held = {"self-trained": "self-trained.safetensors"}
    (assets / "toy" / "domain.json").write_text(json.dumps(DOMAIN | {"checkpoints": held}))
    with pytest.raises(CheckpointError, match="has no classifier"):
        lrpseg.load("toy", network="self-trained", assets=assets, device="cpu")


def test_another_classifier_than_it_was_trained_on_is_refused(assets: Path) -> None:
    domain = load_domain("toy", assets)
    classifier = load_checkpoint(domain.checkpoint("one-fc"), "one-fc")
    own = load_decider(domain, "self-trained").own
    classifier.calibrate(2.0, 1.0)  # calibration changes no feature
    assert own.belongs_to(classifier)
    classifier.features[18].weight[0, 0, 0, 0] += 0.5
    assert not own.belongs_to(classifier)
    save_checkpoint(classifier, domain.checkpoint("one-fc"), "one-fc")
    with pytest.raises(CheckpointError, match="other weights of 'one-fc'"):
        lrpseg.load("toy", network="self-trained", assets=assets, device="cpu")


def test_scales_are_what_the_classifier_decides_by(assets: Path) -> None:
    model = load_checkpoint(assets / "toy" / "one-fc.safetensors", "one-fc")
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    scales = model.scales(x)
    assert [tuple(s.shape[1:]) for s in scales] == [
        (c, 224 >> i, 224 >> i) for i, c in enumerate((4, 8, 16, 32, 32))
    ]
    assert torch.equal(model.classify(scales[-1]), model(x))
    assert [s.shape[-1] for s in model.scales(x[..., :16, :32])] == [32, 16, 8, 4, 2]


def test_the_users_own_folder_is_read(data: Path) -> None:
    assert [len(read("folder", data).splits[s]) for s in ("train", "val")] == [8, 4]
