"""Calibration and the decision of two networks, by hand."""

import numpy as np
import pytest
import torch

from lrpseg.models.networks import NETWORKS
from lrpseg.models.self_trained import Decider, likelihood_of
from lrpseg.models.vgg import Vgg
from training.reports.classification import Bin, Classification, reliability


def test_reliability_by_hand() -> None:
    probabilities = np.array([0.0, 0.05, 0.1, 0.55, 0.59, 1.0])
    labels = np.array([False, True, False, True, False, True])
    bins = reliability(labels, probabilities)
    assert [b.count for b in bins] == [2, 1, 2, 1]
    assert [b.damaged for b in bins] == [0.5, 0, 0.5, 1]
    assert np.allclose([b.probability for b in bins], [0.025, 0.1, 0.57, 1])
    error = Classification("x", "", (), bins).calibration_error
    assert error == pytest.approx((2 * 0.475 + 1 * 0.1 + 2 * 0.07 + 0) / 6)
    assert Classification("x", "", (), (Bin(5, 0.3, 0.3),)).calibration_error == 0


def test_the_decision_weighs_both_log_odds() -> None:
    model = NETWORKS["one-fc"].build().eval()
    assert isinstance(model, Vgg)
    decider = Decider.untrained(model).eval()
    own = decider.own
    likelihood = torch.zeros(2, 1, 32, 32)
    likelihood[0, 0, 10:15, 10:15] = 0.9
    classifier = torch.tensor([[1.0], [-3.0]])
    assert torch.equal(own.log_odds(likelihood, classifier), classifier)
    own.slope.fill_(2)
    own.trust.fill_(0.5)
    own.offset.fill_(-1)
    expected = 2 * np.log(0.9 / 0.1) + 0.5 * 1 - 1
    odds = own.log_odds(likelihood, classifier)
    assert float(odds[0, 0]) == pytest.approx(expected, rel=1e-5)
    x = torch.zeros(1, 3, 224, 224)
    with torch.inference_mode():
        found = likelihood_of(own(model.scales(x)))
        assert torch.equal(found, decider.likelihood(x))
        assert torch.allclose(decider(x)[:, 1:], own.log_odds(found, model.log_odds(model(x))))
