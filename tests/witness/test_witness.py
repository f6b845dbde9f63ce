"""What judges patches, the bank's choice, the verdict, and the witness made of them."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from lrpseg.core.errors import CheckpointError
from lrpseg.models.tensors import checkpoint_hash
from lrpseg.witness.coreset import coreset
from lrpseg.witness.judges import JUDGES, Judge, Logistic, Nearest
from lrpseg.witness.nearest import highest
from lrpseg.witness.space import centred
from lrpseg.witness.verdict import Verdict
from lrpseg.witness.witness import (
    Witness,
    WitnessFiles,
    load_encoder,
    load_witness,
    read_judge,
    save_judge,
)
from tests.small_witness import VERDICT, small_judge, small_tokens, write_encoder


def test_a_coreset_takes_the_farthest_each_time() -> None:
    torch.manual_seed(0)
    patches = torch.randn(60, 5)
    found = coreset(patches, 9).tolist()
    wanted = [int((patches - patches.mean(dim=0)).norm(dim=1).argmax())]
    while len(wanted) < 9:
        left = [min(float((p - patches[w]).norm()) for w in wanted) for p in patches]
        wanted.append(int(np.argmax(left)))
    assert found == wanted


def test_a_coreset_of_few_is_all_of_them() -> None:
    assert coreset(torch.randn(3, 2), 5).tolist() == [0, 1, 2]
    assert len(set(coreset(torch.ones(4, 2), 2).tolist())) >= 1
    with pytest.raises(ValueError, match="one patch at least"):
        coreset(torch.zeros(0, 2), 1)
    with pytest.raises(ValueError, match="of one at least"):
        coreset(torch.zeros(3, 2), 0)


def test_a_verdict_in_numbers() -> None:
    verdict = Verdict(alone=(2.0, -6.0), together=(1.0, 2.0, -5.0))
    assert verdict.witness(3.0) == 0.5
    assert verdict.witness(4.0) == pytest.approx(1 / (1 + math.exp(-2)))
    assert verdict.of_both(1.0, 2.0) == 0.5
    assert verdict.of_both(0.0, 2.0) == pytest.approx(1 / (1 + math.e))
    assert verdict.witness(1e6) == 1.0
    assert verdict.witness(-1e6) == 0.0


def test_patches_speak_by_what_is_above_the_middle() -> None:
    patches = np.array([[1, 1, 4], [1, 0, 1]], np.float32)
    found = Verdict((2.0, 0.0), (0.0, 1.0, 0.0)).relevance(patches)
    assert found.tolist() == [[0, 0, 6], [0, 0, 0]]
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("alone", "together", "told"),
    [
        ((math.nan, 0.0), (1.0, 1.0, 0.0), "finite"),
        ((-1.0, 0.0), (1.0, 1.0, 0.0), "not negative"),
        ((1.0, 0.0), (1.0, -1.0, 0.0), "not negative"),
    ],
)
def test_a_verdict_that_cannot_be(
    alone: tuple[float, float], together: tuple[float, float, float], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        Verdict(alone, together)


@pytest.mark.parametrize("name", list(JUDGES))
def test_a_judge_comes_back_from_its_file(tmp_path: Path, name: str) -> None:
    judge, sees = small_judge(name), small_tokens()
    path = tmp_path / "witness.safetensors"
    save_judge(judge, sees, path)
    back, about = read_judge(path)
    assert type(back) is type(judge)
    assert about["sees"] == '{"blocks": [1, 2], "enlarged": 1.75}'
    tokens = torch.randn(7, sees.channels)
    assert torch.allclose(back(tokens), judge(tokens), rtol=0.05, atol=0.05)


def test_what_a_logistic_judge_says_of_a_patch() -> None:
    judge = small_judge("logistic")
    assert isinstance(judge, Logistic)
    tokens = torch.randn(4, 24)
    parts = judge.space(tokens) / judge.space.spread
    wanted = [float((p * judge.weight).sum() + judge.bias) for p in parts]
    assert np.allclose(judge(tokens).numpy(), wanted, atol=1e-5)


def test_a_file_without_a_judge_says_so(tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    write_encoder(path)
    with pytest.raises(CheckpointError, match="holds no witness"):
        read_judge(path)


def test_an_encoder_of_too_few_blocks_says_so(tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    write_encoder(path)
    with pytest.raises(CheckpointError, match="holds no ViT"):
        load_encoder(path, 9)


@pytest.mark.parametrize("judge", [small_judge(name) for name in JUDGES])
def test_a_small_picture_is_judged_as_one(judge: Judge) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (40, 64, 3), dtype=np.uint8)
    witness = Witness(small_tokens(), judge, VERDICT)
    found = witness(picture)
    values = judge(centred(witness.tokens(picture)).flatten(0, 1)).reshape(5, 8)
    assert np.allclose(found.patches, values.numpy(), atol=1e-5)
    assert found.score == pytest.approx(highest(values), abs=1e-5)
    assert list(witness.steps(picture)) == [(1, 1)]


def test_a_large_picture_is_as_bad_as_its_worst_window() -> None:
    random = np.random.default_rng(1)
    picture = random.integers(100, 110, (16, 8 * 100, 3), dtype=np.uint8)
    picture[:, 8 * 70 : 8 * 71] = 255
    witness = Witness(small_tokens(), small_judge("nearest"), VERDICT)
    found = witness(picture)
    assert found.patches.shape == (2, 100)
    assert [done for done, _ in witness.steps(picture)] == [1, 2, 3]
    scores = [
        highest(witness.judge(centred(witness.tokens.windows(picture, [place])[0]).flatten(0, 1)))
        for place in witness.tokens.layout(picture.shape)
    ]
    assert found.score == pytest.approx(max(scores), abs=1e-5)


def test_a_witness_of_other_weights_is_refused(tmp_path: Path) -> None:
    encoder, path = tmp_path / "encoder.safetensors", tmp_path / "witness.safetensors"
    write_encoder(encoder)
    save_judge(small_judge("nearest"), small_tokens(), path)
    hashes = checkpoint_hash(encoder), checkpoint_hash(path)
    files = WitnessFiles(encoder, path, *hashes, VERDICT)
    witness = load_witness(files, torch.device("cpu"))
    assert isinstance(witness.judge, Nearest)
    assert witness(np.zeros((20, 20, 3), np.uint8)).patches.shape == (2, 2)
    for wrong in (("0" * 64, hashes[1]), (hashes[0], "0" * 64)):
        with pytest.raises(CheckpointError, match="fit the witness again"):
            load_witness(WitnessFiles(encoder, path, *wrong, VERDICT), torch.device("cpu"))
    encoder.unlink()
    with pytest.raises(CheckpointError, match="missing"):
        load_witness(files, torch.device("cpu"))
