"""Which crops a report of faithfulness is about, and what it asks the classifier, by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lrpseg.domains import load_domain
from lrpseg.lrp.faithfulness import STEPS, local_mean, perturbed, ranks
from tests.lrp import networks
from training.data.datasets import Example
from training.reports.faithfulness_cases import Cases, Decision, spread


def examples(*regions: str) -> list[Example]:
    return [Example(str(i), Path(f"{i}.png"), True, r, "crack") for i, r in enumerate(regions)]


def test_few_crops_are_of_many_regions() -> None:
    every = examples("a", "a", "a", "a", "b", "b", "c")
    assert spread(every, None, 0) == spread(every, 9, 0) == every
    for seed in range(5):
        assert sorted(e.region for e in spread(every, 3, seed)) == ["a", "b", "c"]
        assert sorted(e.region for e in spread(every, 5, seed)) == ["a", "a", "b", "b", "c"]
        assert sorted(e.region for e in spread(every, 6, seed)) == ["a", "a", "a", "b", "b", "c"]
    assert spread(every, 3, 1) == spread(every, 3, 1)
    assert len({e.image for seed in range(20) for e in spread(every, 1, seed)}) > 3


@pytest.mark.usefixtures("narrow")
def test_each_case_asks_for_its_own_class() -> None:
    """Two classes on one crop: each falls by its own log-odds."""
    model = networks.make("vgg-a", networks.TWO).float()
    domain = load_domain("toy")
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    picture, kind = np.array([1, 0, 1]), np.array([0, 1, 1])
    cases = Cases(images, picture, kind, np.zeros((3, 32, 32), bool), ["a", "b", "a"])
    decision = Decision(model, domain, cases, torch.device("cpu"))
    places = ranks(torch.rand(3, 16, generator=torch.Generator().manual_seed(0)))
    found = decision.falls(places)
    x = domain.normalisation(torch.from_numpy(images))
    for n, (i, k) in enumerate(zip(picture, kind, strict=True)):
        one = x[i : i + 1]
        for s, count in enumerate(STEPS):
            changed = perturbed(one, local_mean(one), places[n : n + 1], count)
            fall = (model(one) - model(changed))[0, k]
            assert found[n, s] == pytest.approx(float(fall), abs=1e-5)
        assert decision.starts("logit")[n] == pytest.approx(float(model(one)[0, k]), abs=1e-5)
