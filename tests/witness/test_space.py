"""The space of patches, and the nearest of a bank."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from lrpseg.witness import nearest as distances
from lrpseg.witness.nearest import highest, nearest
from lrpseg.witness.space import Space, centred


def test_it_is_sklearns_on_blocks_of_equal_say() -> None:
    random = np.random.default_rng(0)
    tokens = random.normal(size=(400, 6)) * [9, 5, 3, 0.01, 0.02, 0.03] + 4
    space = Space.of(torch.from_numpy(tokens).float(), block=3, components=4)
    scaled = np.concatenate(
        [part / np.sqrt(part.var(axis=0, ddof=1).sum()) for part in (tokens[:, :3], tokens[:, 3:])],
        axis=1,
    )
    pca = PCA(4).fit(scaled)
    ours = space(torch.from_numpy(tokens).float()).numpy()
    theirs = pca.transform(scaled)[:, ::-1]  # ours begin with the least
    for column in range(4):
        sign = np.sign(ours[:, column] @ theirs[:, column])
        assert np.allclose(ours[:, column], sign * theirs[:, column], atol=1e-4)
    assert np.allclose(space.spread.numpy(), theirs.std(axis=0), rtol=1e-3)


@pytest.mark.parametrize(
    ("tokens", "told"), [(torch.zeros(1, 4), "two tokens"), (torch.ones(9, 4), "all alike")]
)
def test_what_does_not_vary_has_no_space(tokens: torch.Tensor, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Space.of(tokens, block=2)


def test_a_picture_is_centred_by_itself() -> None:
    tokens = torch.randn(3, 5, 7) + 100
    assert torch.allclose(centred(tokens).mean(dim=(0, 1)), torch.zeros(7), atol=1e-4)
    assert torch.allclose(centred(tokens + 3), centred(tokens), atol=1e-4)


@pytest.mark.parametrize("at_once", [1, 7, 1 << 24])
def test_nearest_is_what_a_loop_finds(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(distances, "AT_ONCE", at_once)
    patches, bank = torch.randn(11, 4), torch.randn(5, 4)
    wanted = [min(float((p - b).norm()) for b in bank) for p in patches]
    assert np.allclose(nearest(patches, bank).numpy(), wanted, atol=1e-5)
    assert np.allclose(nearest(bank, bank).numpy(), 0, atol=2e-3)


def test_an_empty_bank_is_refused() -> None:
    with pytest.raises(ValueError, match="no patches"):
        nearest(torch.randn(3, 4), torch.zeros(0, 4))


def test_highest_is_the_mean_of_few() -> None:
    values = torch.tensor([[1.0, 9.0], [5.0, 3.0]])
    assert highest(values, 2) == 7
    assert highest(values, 9) == 4.5
