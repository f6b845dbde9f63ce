"""Slow thresholders written from the paper's text, to test the fast ones against.

Paper: section 3.3.2 of Seibold et al., VISAPP 2022, DOI 10.5220/0010893600003124. Nothing here
imports `lrpseg`: loops, scipy and scikit-learn only.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.stats import beta as beta_distribution
from sklearn.mixture import GaussianMixture

Map = NDArray[np.floating]
Mask = NDArray[np.bool_]


def damage_like_map(seed: int, shape: tuple[int, int]) -> tuple[NDArray[np.float32], Mask]:
    """Heavy-tailed noise around 0 and elliptic damages, bright at the rim and hollow inside."""
    rng = np.random.default_rng(seed)
    height, width = shape
    noise = gaussian_filter(rng.standard_t(2.5, shape) * 0.002, 0.8)
    damage = np.zeros(shape, bool)
    strength = np.zeros(shape)
    rows, columns = np.mgrid[:height, :width]
    for _ in range(int(rng.integers(1, 4))):
        row, column = rng.uniform(0.2, 0.8, 2) * shape
        radii = rng.uniform(0.04, 0.1, 2) * min(shape)
        radius = np.hypot((rows - row) / radii[0], (columns - column) / radii[1])
        damage |= radius <= 1
        rim = 0.004 + 0.03 * np.exp(-6 * np.clip(1 - radius, 0, 1))
        strength = np.maximum(strength, np.where(radius <= 1, rim, 0))
    relevance = noise + strength * rng.gamma(1.5, 0.7, shape)
    return relevance.astype(np.float32), damage


def mean_filter_by_loops(relevance: Map) -> NDArray[np.float64]:
    """5x5 means; beyond the border the map is mirrored, edge pixel included."""
    height, width = relevance.shape

    def mirrored(index: int, size: int) -> int:
        while not 0 <= index < size:
            index = -1 - index if index < 0 else 2 * size - 1 - index
        return index

    result = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            total = 0.0
            for down in range(-2, 3):
                for right in range(-2, 3):
                    pixel = mirrored(row + down, height), mirrored(column + right, width)
                    total += float(relevance[pixel])
            result[row, column] = total / 25
    return result


def simple_by_loops(relevance: Map) -> tuple[NDArray[np.float64], float]:
    """(normalised map, threshold): the refinement of the paper, until nothing changes."""
    low, high = float(relevance.min()), float(relevance.max())
    unit = (relevance.astype(np.float64) - low) / (high - low)
    values = [float(value) for value in unit.ravel()]
    threshold = sum(values) / len(values)
    while True:
        background = [value for value in values if value < threshold]
        foreground = [value for value in values if value >= threshold]
        update = (
            math.fsum(background) / len(background) + math.fsum(foreground) / len(foreground)
        ) / 2
        if abs(update - threshold) < 1e-12:
            return unit, update
        threshold = update


def gmm_by_sklearn(relevance: Map, tolerance: float, steps: int) -> Mask:
    """Mean filter, `GaussianMixture` from k-means, component of the maximum, over 50 %."""
    smooth = uniform_filter(relevance.astype(np.float64), 5, mode="reflect")
    samples = ((smooth - smooth.mean()) / smooth.std()).reshape(-1, 1)
    model = GaussianMixture(3, tol=tolerance, max_iter=steps, random_state=0).fit(samples)
    posterior = model.predict_proba(samples)
    damage = int(np.argmax(posterior[np.argmax(samples)]))
    mask: Mask = (posterior[:, damage] > 0.5).reshape(smooth.shape) & (smooth > 0)
    return mask


def beta_moments(values: list[float], shares: list[float]) -> tuple[float, float]:
    """alpha and beta from the weighted mean and variance."""
    total = math.fsum(shares)
    mean = math.fsum(s * x for s, x in zip(shares, values, strict=True)) / total
    spread = (s * (x - mean) ** 2 for s, x in zip(shares, values, strict=True))
    variance = max(math.fsum(spread) / total, 1e-8)
    common = mean * (1 - mean) / variance - 1
    return mean * common, (1 - mean) * common


def two_means_start(values: list[float]) -> list[float]:
    """Share of damage, 0 or 1, per value: above the halfway point of the two means."""
    cut = math.fsum(values) / len(values)
    for _ in range(1000):
        low = [x for x in values if x <= cut]
        high = [x for x in values if x > cut]
        update = (math.fsum(low) / len(low) + math.fsum(high) / len(high)) / 2
        if update == cut:
            break
        cut = update
    return [float(x > cut) for x in values]


def bmm_by_loops(
    relevance: Map, positive_half: bool, mixture: bool, steps: int = 500
) -> NDArray[np.float64]:
    """Likelihood map of the Beta mixture with hard assignments, from scipy's distribution.

    `positive_half`: half of the positive values is removed, not half of all. `mixture`: ordinary
    mixture weights, not equal ones.
    """
    smooth = np.maximum(mean_filter_by_loops(relevance), 0)
    ordered = sorted(float(value) for value in smooth.ravel())
    if positive_half:
        ordered = [value for value in ordered if value > 0]
    kept = ordered[len(ordered) // 2 :]
    low, high = kept[0], kept[-1]

    def normalised(value: float) -> float:
        return min(max((value - low) / (high - low), 1e-4), 1 - 1e-4)

    values = [normalised(value) for value in kept]
    damage = two_means_start(values)
    before = (math.inf,) * 3
    for _ in range(steps):
        pairs = [beta_moments(values, [1 - d for d in damage]), beta_moments(values, damage)]
        pairs.sort(key=lambda pair: pair[0] / (pair[0] + pair[1]))
        background_pdf = beta_distribution(*pairs[0])
        damage_pdf = beta_distribution(*pairs[1])
        share = math.fsum(damage) / len(damage) if mixture else 0.5
        upper, centre = background_pdf.ppf(0.9), damage_pdf.mean()
        first = (1 - share) * background_pdf.pdf(values)
        second = share * damage_pdf.pdf(values)
        damage = list(
            _assigned(values, list(second / (first + second)), float(upper), float(centre))
        )
        after = (float(background_pdf.mean()), float(centre), math.fsum(damage) / len(damage))
        if max(abs(a - b) for a, b in zip(after, before, strict=True)) < 1e-5:
            break
        before = after
    pixels = [normalised(float(value)) for value in smooth.ravel()]
    first = (1 - share) * background_pdf.pdf(pixels)
    second = share * damage_pdf.pdf(pixels)
    soft = list(second / (first + second))
    likelihood = np.array(list(_assigned(pixels, soft, float(upper), float(centre))))
    return np.where((smooth >= low) & (smooth > 0), likelihood.reshape(smooth.shape), 0)


def _assigned(
    values: list[float], soft: list[float], upper: float, centre: float
) -> Iterator[float]:
    """The two 100 % sentences; where both claim a value, it keeps its probability."""
    for value, probability in zip(values, soft, strict=True):
        is_damage, is_background = value > centre, value <= upper
        if is_damage and not is_background:
            yield 1.0
        elif is_background and not is_damage:
            yield 0.0
        else:
            yield probability


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    union = int((one | other).sum())
    return 1.0 if union == 0 else int((one & other).sum()) / union
