"""Masks of left-out regions: each by its own fold, and what a witness adds."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lrpseg.domains import load_domain
from lrpseg.models.vit import VisionTransformer
from lrpseg.thresholders import THRESHOLDERS
from tests.training.left_out_support import draw_pictures, training_words
from tests.training.support import NORMALISATION, narrow, narrow_network
from training.data.datasets import DataError
from training.data.declared import Subject
from training.data.folds import folds_of
from training.left_out import classifier
from training.left_out.classifier import pictures as all_pictures
from training.left_out.methods import METHODS, Method
from training.reports import left_out_masks as report


def test_each_crop_is_explained_and_seconded_by_its_own_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    data = draw_pictures(tmp_path / "data")
    torch.manual_seed(0)
    encoder = VisionTransformer(9, 64, 1)
    save_file(encoder.state_dict(), tmp_path / "encoder.safetensors")
    own = tmp_path / "own"
    own.mkdir()
    about = {
        "title": "Own", "classes": ["intact", "damaged"], "normalisation": NORMALISATION,
        "checkpoints": {},
    }  # fmt: skip
    (own / "domain.json").write_text(json.dumps(about))
    asked: list[set[int]] = []
    fit = METHODS["nearest"].fit

    def counted(material: object, known: object, seed: int) -> object:
        asked.append(set(known))  # type: ignore[call-overload]
        return fit(material, known, seed)  # type: ignore[arg-type]

    monkeypatch.setitem(METHODS._things, "nearest", Method("nearest", counted))  # type: ignore[arg-type]
    monkeypatch.setattr(report, "SHOWN", ("simple", "fraction"))
    words = [
        "--data", str(data), "--domain", str(own), "--folds", "2", "--encoder",
        str(tmp_path / "encoder.safetensors"), "--cache", str(tmp_path / "tokens"),
        "--classifier", str(tmp_path / "folds"), "--rule-set", "ours", "--device", "cpu",
        "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    with narrow_network():
        save_file(narrow().state_dict(), tmp_path / "start.safetensors")
        with pytest.raises(DataError, match="missing"):
            report.main(words)
        classifier.main(training_words(data, tmp_path))
        asked.clear()
        report.main(words)
        subject = Subject.known(load_domain(own))
        every = all_pictures(subject, data)
        of = folds_of(every, 2)
        assert [{of[i] for i in known} for known in asked] == [{1}, {0}]
    text = (tmp_path / "out" / "own-left-out" / "masks.md").read_text()
    assert "6 damaged centre crops of 6 regions" in text
    held = json.loads((tmp_path / "out" / "own-left-out" / "masks.json").read_text())
    names = [score["name"] for score in held["ours"]]
    assert len(names) == len(set(names)) == 8
    assert (
        f"LRP Ours, {THRESHOLDERS['simple'].title}, refined: intensity, with the witness" in names
    )
    assert all(score["images"] == score["found"] == 6 for score in held["ours"])


def test_seconded_relevance_is_no_more_than_relevance() -> None:
    """What a crop gets is the witness's map of the whole picture, cut at the crop."""
    found = report.second(
        np.ones((8, 8), np.float32), False,
        report.Testimony(1.0, np.array([[0, 0], [0, 2]], np.float32)), report.PLAIN,
    )  # fmt: skip
    assert found is not None
    assert found.max() <= 1
    assert found[7, 7] == found.max()
    assert found[0, 0] < 1e-3
