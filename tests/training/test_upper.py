"""Upper stages that learn on features of frozen ones, and a witness that is fitted."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression

import lrpseg
from lrpseg.models.checkpoints import load_checkpoint, save_checkpoint
from lrpseg.models.vit import VisionTransformer
from tests.training.left_out_support import RECIPE, draw_pictures, examples, training_words
from tests.training.support import narrow_network
from training import witness as fitting
from training.data.datasets import DataError
from training.left_out import classifier
from training.left_out.methods import Verdicts
from training.loops.upper import FeatureCrops, Features
from training.witness import fit_verdict

DRAWN = RECIPE + "[training.augmentation]\ndrawn = 0.5\n"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_pictures(tmp_path_factory.mktemp("data"))


def test_upper_stages_learn_on_features_of_frozen_ones(pictures: Path, tmp_path: Path) -> None:
    with narrow_network():
        from tests.training.support import narrow

        torch.manual_seed(0)
        start = narrow()
        save_file(start.state_dict(), tmp_path / "start.safetensors")
        words = [
            *training_words(pictures, tmp_path, DRAWN),
            "--frozen",
            "4",
            "--cache",
            str(tmp_path / "features"),
        ]
        classifier.main(words)
        path = tmp_path / "folds" / "fold-1" / "best.safetensors"
        held, made = load_checkpoint(path, "narrow").state_dict(), path.stat().st_mtime_ns
        classifier.main(words)  # done before
        assert path.stat().st_mtime_ns == made
    moved = {
        name
        for name, tensor in start.state_dict().items()
        if not torch.equal(tensor.half().float(), held[name])
    }
    assert moved == {
        *(f"features.{i}.{part}" for i in (16, 18) for part in ("weight", "bias")),
        "classifier.0.weight", "classifier.0.bias",
    }  # fmt: skip
    kept = {p.name: np.load(p) for p in (tmp_path / "features").iterdir()}
    # Six of each damaged picture; of each intact one two, and two with damage drawn in.
    assert sorted(len(values) for values in kept.values()) == [4] * 6 + [6] * 6
    assert all(values.shape[1:] == (32, 6, 6) for values in kept.values())


def test_parts_of_a_network_are_the_network() -> None:
    from tests.training.support import narrow

    model, x = narrow(hidden=(16,)).eval(), torch.randn(2, 3, 96, 96)
    for stage in range(1, 6):
        lower, upper = model.parts(stage)
        assert torch.equal(upper(lower(x)), model(x))


def test_crops_of_features_are_drawn_evenly() -> None:
    every = examples({"a": ("crack", 1), "b": ("crack", 8), "c": ("intact", 2)})
    owner = np.array([0, *range(1, 9), 9, 10, 9, 10])
    drawn = np.array([False] * 11 + [True] * 2)
    damaged = np.array([True] * 9 + [False] * 2 + [True] * 2)
    values = np.arange(13, dtype=np.float16)[:, None]
    crops = FeatureCrops(
        Features(values, owner, damaged, drawn), every, range(11), 4000, 0.25, seed=0
    )
    found = [(int(crops[i][0]), crops[i][1]) for i in range(4000)]
    assert all(bool(damaged[row]) == bool(label) for row, label in found)
    rows = np.bincount([row for row, _ in found], minlength=13) / 4000
    assert rows[0] == pytest.approx(rows[1:9].sum(), abs=0.03)  # as many of each region
    assert rows[:9].sum() == pytest.approx(0.375, abs=0.03)
    assert rows[11:].sum() == pytest.approx(0.125, abs=0.03)
    assert [crops[i][1] for i in range(5)] == [crops[i][1] for i in range(5)]
    with pytest.raises(DataError, match="needed to train on"):
        FeatureCrops(Features(values, owner, damaged, drawn), every, [0, 1], 4, 0.0, seed=0)


def test_a_witness_is_fitted_and_asked(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    encoder = VisionTransformer(9, 64, 1)
    save_file(encoder.state_dict(), tmp_path / "encoder.safetensors")
    into = tmp_path / "assets" / "own"
    into.mkdir(parents=True)
    with narrow_network():
        from tests.training.support import NORMALISATION, narrow

        save_file(narrow().state_dict(), tmp_path / "start.safetensors")
        save_checkpoint(narrow(), into / "narrow.safetensors", "narrow")
        about = {
            "title": "Own", "classes": ["intact", "damaged"], "normalisation": NORMALISATION,
            "checkpoints": {"narrow": "narrow.safetensors"},
        }  # fmt: skip
        (into / "domain.json").write_text(json.dumps(about))
        classifier.main(training_words(pictures, tmp_path))
        turns = iter([0.6, 0.4] * 6)  # the network knows nothing: whatever it says fits
        monkeypatch.setattr(
            fitting,
            "by_classifier",
            lambda *_: Verdicts(np.array([next(turns) for _ in range(12)])),
        )
        fitting.main([
            "--data", str(pictures), "--domain", "own", "--folds", "2", "--into", str(into),
            "--encoder", str(tmp_path / "encoder.safetensors"), "--cache", str(tmp_path / "tokens"),
            "--classifier", str(tmp_path / "folds"),
        ])  # fmt: skip
        assert (tmp_path / "assets" / "shared" / "dinov2-vits14.safetensors").is_file()
        segmenter = lrpseg.load(str(into), network="narrow")
        assert segmenter.settings.witness == "dinov2"
        (layer,) = segmenter(pictures / "damaged" / "0.png").layers
    assert layer.network is not None
    assert layer.witness is not None


def test_a_verdict_is_sklearns() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(200) % 4 == 0
    network = np.clip(random.normal(0.3 + 0.3 * labels, 0.2), 0, 1)
    score = random.normal(30 + 3 * labels, 2)
    verdict = fit_verdict(network, score, labels)
    columns = np.stack([network, score], axis=1)
    theirs = LogisticRegression(class_weight="balanced", C=1e4, max_iter=10_000)
    wanted = theirs.fit(columns, labels).predict_proba(columns)[:, 1]
    ours = [verdict.of_both(n, s) for n, s in columns]
    assert np.allclose(ours, wanted, atol=0.02)
    with pytest.raises(DataError, match="do not fit together"):
        fit_verdict(1 - network, score, labels)
