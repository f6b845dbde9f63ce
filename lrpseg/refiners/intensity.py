"""Intensity: lets the picture's own contrast decide where damage ends.

Relevance is high on a damage's border and hollow inside (paper 4.1), and wider than a thin crack
(4.2). The picture has what it lacks: damage is darker or brighter than what surrounds it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lrpseg.refiners.base import Image, Refiner
from lrpseg.refiners.reconstruction import connected, filled, touching
from lrpseg.thresholders.base import Fitted
from lrpseg.thresholders.simple import fixed_point

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class IntensityConfig:
    """background: side of the median filter that says what a pixel would be without damage.
    smoothing: of the picture, standard deviation. near: how far around the thresholder's mask the
    two intensities are learned. along: standard deviation of the window over which they are
    averaged where they change along the damage. reach: how much further damage may be followed. All
    in pixels. updates: of the local intensities. pull: weight of a component's own two intensities
    in each window, as a share of a full one. contrast: least difference of the two intensities, in
    deviations of the picture's noise; local_contrast: of the local ones, as a share of the
    component's. threshold: 0 is the surrounding's intensity, 1 the damage's. rounds: how often the
    damage found so far is followed further, at most. reason: least relevance there, as a share of
    its maximum, both averaged over `window` pixels a side.
    """

    background: int = 41
    smoothing: float = 0.8
    near: int = 3
    along: float = 5.0
    reach: int = 12
    updates: int = 2
    pull: float = 0.05
    contrast: float = 2.0
    local_contrast: float = 0.3
    threshold: float = 0.55
    rounds: int = 10
    reason: float = 0.1
    window: int = 5


DEFAULT = IntensityConfig()


def refine(
    image: Image,
    relevance: NDArray[np.float32],
    evidence: NDArray[np.float32],
    fitted: Fitted,
    config: IntensityConfig = DEFAULT,
) -> Fitted:
    """Likelihood of damage by how far a pixel's intensity is from its surrounding's.

    The thresholder's mask says where to look. Around each of its components, two intensities are
    learned by the mean-of-means iteration of the thresholder Simple: of damage and of what
    surrounds it. Both may change along a crack: they are averaged again within a Gaussian window
    around each pixel, of the pixels nearer to one or to the other (after the local fitting of Li,
    Kao, Gore, Ding 2008, DOI 10.1109/TIP.2008.2002304, without its contour). A pixel's likelihood
    is its place between the two (0 to 1), as far as it is connected to the mask by pixels that are
    at least as likely, and holes are filled: both for every threshold at once, by grey-scale
    reconstruction (Vincent 1993, DOI 10.1109/83.217222). Intensity is the difference to the local
    median along the colour direction in which the evidence's pixels differ most: dark or bright,
    grey or colour.

    What was found is looked around in the same way in the next round, as far as relevance is high
    there: so a mask that has only the strongest part of a long crack grows along the rest of it.

    Components without contrast are left out; where none has any, the thresholder's likelihood is
    kept, scaled so that its threshold comes to lie at `config.threshold`.

    Args:
        image: (H, W, 3) uint8. relevance, evidence: (H, W) float32. fitted: of that evidence.

    Returns:
        `Fitted`, likelihood (H, W) float32; pixels out of reach have 0.
    """
    seed = fitted.mask
    if not seed.any():
        return fitted
    difference = _difference(image, np.clip(evidence, 0, None), config)
    noise = 1.4826 * float(np.median(np.abs(difference - np.median(difference))))
    place = _places(difference, seed, noise, config)
    if not (place[seed] >= config.threshold).any():
        return _rescaled(fitted, config.threshold)
    reasons = _reasons(relevance, config)
    # Relevance is blurred, so damage may go on for a little where it ends.
    around = cv2.dilate(reasons.astype(np.uint8), _square(2 * config.window - 1)) > 0
    for _ in range(1, config.rounds):
        found = touching(place >= config.threshold, seed)
        more = seed | (found & reasons)
        if (more == seed).all():
            break
        seed = more
        np.maximum(place, _places(difference, seed, noise, config), out=place, where=around)
    likelihood = filled(connected(np.where(seed, place, 0), place))
    threshold = float(np.float32(config.threshold))
    return Fitted(likelihood, threshold, fitted.converged, fitted.iterations)


def _reasons(relevance: NDArray[np.float32], config: IntensityConfig) -> Mask:
    """(H, W): where relevance speaks for damage, and next to it."""
    mean = cv2.blur(np.clip(relevance, 0, None), (config.window, config.window))
    high = mean > config.reason * mean.max()
    return cv2.dilate(high.astype(np.uint8), _square(config.window)) > 0


def _difference(image: Image, weight: Field, config: IntensityConfig) -> Field:
    """(H, W): how much a pixel differs from its surrounding, positive as damage does."""
    if (image == image[..., :1]).all():
        image = image[..., :1]  # grey: one channel says it all
    median = cv2.medianBlur(image, config.background).astype(np.float32).reshape(image.shape)
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), config.smoothing)
    apart = median - smooth.reshape(image.shape)
    # Scaled: sums of relevance near the end of float32's range would overflow.
    direction = np.tensordot(weight / max(float(weight.max()), 1e-30), apart, axes=2)
    length = float(np.linalg.norm(direction))
    if length == 0:  # grey on average: darker is the better guess
        return apart.mean(axis=2)
    return np.asarray(apart @ (direction / length).astype(np.float32))


def _places(difference: Field, seed: Mask, noise: float, config: IntensityConfig) -> Field:
    """(H, W), 0 to 1: each pixel's place between the two intensities of the components near it."""
    near = cv2.dilate(seed.astype(np.uint8), _disk(config.near))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
    place = np.zeros(difference.shape, np.float32)
    for label in range(1, count):
        x, y, w, h = boxes[label, :4].tolist()
        r = config.reach
        window = np.s_[max(0, y - r) : y + h + r, max(0, x - r) : x + w + r]
        own = labels[window] == label
        values = difference[window]
        low, high = _two_means(values[own])
        if high - low <= config.contrast * noise:
            continue
        within = cv2.dilate(own.astype(np.uint8), _disk(r)) > 0
        lows, highs = _local_means(values, own, low, high, noise, config)
        found = np.clip((values - lows) / (highs - lows), 0, 1)
        np.maximum(place[window], np.where(within, found, 0), out=place[window])
    return place


def _local_means(
    values: Field, own: Mask, low: float, high: float, noise: float, config: IntensityConfig
) -> tuple[Field, Field]:
    """(H, W) each: the two intensities around each pixel, learned from the pixels in `own`."""
    least = max(config.contrast * noise, config.local_contrast * (high - low))
    lows, highs = np.full_like(values, low), np.full_like(values, high)

    def average(mask: Mask, whole: float) -> Field:
        weight = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), config.along)
        total = cv2.GaussianBlur(np.where(mask, values, 0), (0, 0), config.along)
        return np.asarray((total + config.pull * whole) / (weight + config.pull), np.float32)

    for _ in range(config.updates):
        above = values >= (lows + highs) / 2
        lows, highs = average(own & ~above, low), average(own & above, high)
        highs = np.maximum(highs, lows + np.float32(least))
    return lows, highs


def _two_means(values: Field) -> tuple[float, float]:
    """The means below and above the fixed point of Ridler and Calvard; equal for equal values."""
    threshold = fixed_point(np.sort(values))
    if threshold is None:
        return float(values.mean()), float(values.mean())
    return float(values[values < threshold].mean()), float(values[values >= threshold].mean())


def _rescaled(fitted: Fitted, threshold: float) -> Fitted:
    """The same masks in the same order, with the own threshold at `threshold`."""
    own = min(max(fitted.threshold, 1e-6), 1 - 1e-6)
    moved = np.interp(fitted.likelihood, (0, own, 1), (0, threshold, 1)).astype(np.float32)
    # The pixel at the threshold itself must stay in the mask, whatever rounding did.
    exact = np.where(fitted.mask, np.maximum(moved, np.float32(threshold)), moved)
    exact = np.where(fitted.mask, exact, np.minimum(exact, np.nextafter(np.float32(threshold), 0)))
    return Fitted(
        exact.astype(np.float32), float(np.float32(threshold)), fitted.converged, fitted.iterations
    )


def _square(side: int) -> NDArray[np.uint8]:
    return np.ones((side, side), np.uint8)


def _disk(radius: int) -> NDArray[np.uint8]:
    size = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


INTENSITY = Refiner(
    name="intensity",
    title="Intensity",
    description=(
        "Follows the darker or brighter pixels from the marked ones on, and fills what they "
        "enclose."
    ),
    refine=refine,
)
