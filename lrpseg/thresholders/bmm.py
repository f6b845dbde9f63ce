"""BMM: two Beta distributions describe the larger half of the smoothed relevance."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrpseg.thresholders.base import (
    Fitted,
    FloatMap,
    Thresholder,
    no_evidence,
    scaled_relevance,
    to_unit_interval,
)
from lrpseg.thresholders.beta_readings import READINGS, Reading
from lrpseg.thresholders.betas import Betas, BmmConfig, expectation_maximisation, posterior_of
from lrpseg.thresholders.mean_filter import is_flat, mean_filtered
from lrpseg.thresholders.sketch import sketch_sorted

DEFAULT = BmmConfig()
DEFAULT_READING = READINGS["mixture-positive"]
CHUNK = 1 << 18  # pixels per evaluation of the posterior: bounds the memory on large maps


@dataclass(frozen=True, eq=False)
class Prepared:
    """A relevance map made ready for the Betas.

    `positive`: (H, W) smoothed relevance with negatives set to 0; `low`, `high`: the smallest
    kept and the largest value; `kept`: (M,) ascending float32, the kept values mapped to [0, 1].
    """

    positive: FloatMap
    low: float
    high: float
    kept: NDArray[np.float32]


def fit(
    relevance: NDArray[Any],
    reading: Reading = DEFAULT_READING,
    config: BmmConfig = DEFAULT,
) -> Fitted:
    """Segment a relevance map by a mixture of two Beta distributions, fitted by EM.

    The steps of the paper: 5x5 mean filter; negative values set to zero; the smallest 50 % of
    the values removed; the rest mapped affinely to [0, 1]; two densities

        f(x; a, b) = x^(a-1) (1-x)^(b-1) / B(a, b)

    fitted by EM, where in the expectation step values above the damage's mean are damage,
    values in the background's lower-sided 90 % interval are background, and the components are
    weighted. What is weighted, and 50 % of what, can be read in several ways: `READINGS` names
    them. The default was chosen on validation images of magnetic tiles.

    What the paper leaves open, and how it is here. Start: 2-means. M-step: moments. Conflicting
    assignments: see `Betas.hard_edges`. Result: the posterior of the damage, with the hard
    assignments of the E-step where the reading has them, and never falling with relevance (see
    `Betas.rising_range`). Likelihood 0: pixels that were removed and pixels without positive
    smoothed relevance. Where all that is kept is one value, it is damage (likelihood 1) if it
    covers less than half of the image, as damage does, else nothing is. Equal values get
    equal likelihoods, also at the 50 % cut.

    EM runs on a sketch of the values (see `sketch_sorted`); `bmm_reference.fit` is the same on
    every pixel. The posterior is evaluated on every pixel's own value.

    Parameters: `relevance` (H, W), any real dtype, finite.
    Returns: `Fitted`, likelihood (H, W) float32. A map without evidence gets an empty mask.
    Raises: `RelevanceError`, see `scaled_relevance`.

    Source: paper, section 3.3.2 (Seibold et al., VISAPP 2022, DOI 10.5220/0010893600003124).
    """
    prepared = prepare(relevance, reading)
    if isinstance(prepared, Fitted):
        return prepared
    betas, converged, iterations = expectation_maximisation(
        sketch_sorted(prepared.kept), reading, config
    )
    likelihood = damage_likelihood(prepared, betas, reading, config)
    return Fitted(likelihood, reading.operating_point, converged, iterations)


def prepare(relevance: NDArray[Any], reading: Reading) -> Prepared | Fitted:
    """Check, filter and normalise a relevance map; the result itself if there is nothing to fit."""
    scaled = scaled_relevance(relevance)
    smooth = None if scaled is None else mean_filtered(scaled)
    if smooth is None:
        return no_evidence(np.shape(relevance))
    positive: FloatMap = np.maximum(smooth, 0)
    ordered = reading.keep(np.sort(positive, axis=None))
    low, high = float(ordered[0]), float(ordered[-1])
    if is_flat(low, high, positive.dtype):
        peak = positive >= low
        if 2 * np.count_nonzero(peak) >= peak.size:
            return no_evidence(peak.shape)
        return Fitted(peak.astype(np.float32), reading.operating_point, True, 0)
    return Prepared(positive, low, high, to_unit_interval(ordered, low, high))


def damage_likelihood(
    prepared: Prepared, betas: Betas, reading: Reading, config: BmmConfig
) -> NDArray[np.float32]:
    """The likelihood of damage for each pixel's own value, (H, W) float32 in [0, 1]."""
    unit = to_unit_interval(prepared.positive, prepared.low, prepared.high)
    likelihood = np.zeros(unit.shape, np.float32)
    candidate = (prepared.positive >= prepared.low) & (prepared.positive > 0)
    if reading.hard:
        lo, hi = betas.hard_edges(config.interval)
        likelihood[candidate & (unit > hi)] = 1
        candidate &= (unit > lo) & (unit <= hi)
    first, last = betas.rising_range()
    first, last = max(first, config.clip), min(last, 1 - config.clip)
    values = unit[candidate]
    scores = np.empty_like(values)
    for start in range(0, values.size, CHUNK):
        part = slice(start, start + CHUNK)
        x = np.clip(values[part].astype(np.float64), first, last)
        scores[part] = posterior_of(betas.log_odds(np.log(x), np.log1p(-x)) + betas.prior)
    likelihood[candidate] = scores
    return likelihood


BMM = Thresholder(
    name="bmm",
    title="Beta mixture",
    description=(
        "Smooths the relevance map, describes its larger values by two skewed curves, "
        "background and damage, and marks the pixels that fit damage better."
    ),
    fit=fit,
)

BMM_LITERAL = Thresholder(
    name="bmm-literal",
    title="Beta mixture, to the letter",
    description=(
        "As the Beta mixture, but counts background and damage as equally common, "
        "as the paper's wording has it; marks more pixels."
    ),
    fit=partial(fit, reading=READINGS["literal"]),
)
