"""How faithful a map is to the decision: where it lies, what happens without what it points at, and
what it owes to the network's weights.

Pure functions on batches of maps, on whatever device they are. Definitions are those of Quantus
(Hedström et al. 2023, arXiv:2202.06861), against which the tests check them; what degenerate maps
give is said with each. NaN in a map gives NaN, never a figure.
"""

import copy
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from lrpseg.lrp.options import Start
from lrpseg.models.contract import Classifier

REGION = 8
"""Side in pixels of the regions that are perturbed."""

STEPS = (1, 4, 16, 64)
"""How many regions are perturbed: fourfold each time, as damage is a spot or a long crack."""

WINDOW = 61
"""Side in pixels of the window whose mean stands in for a pixel: far wider than a crack."""


def relevance_mass(relevance: Tensor, mask: Tensor) -> Tensor:
    """Share of the positive relevance that lies in the mask (relevance mass accuracy of Arras,
    Osman, Samek 2022, DOI 10.1016/j.inffus.2021.11.008), 1 at best.

    Args:
        relevance: (B, H, W). Negative relevance speaks against damage and is left out.
        mask: (B, H, W) bool.

    Returns:
        (B,) float64; NaN where the mask is empty, or no relevance is positive.
    """
    positive = _rows(relevance).clamp(min=0)
    inside = mask.reshape(len(mask), -1)
    total = positive.sum(dim=1)
    share = (positive * inside).sum(dim=1) / total
    return torch.where(inside.any(dim=1) & (total > 0), share, torch.nan)


def rank_accuracy(relevance: Tensor, mask: Tensor) -> Tensor:
    """Of the K most relevant pixels, where the mask has K, the share that lies in it (rank accuracy
    of Arras et al. 2022), 1 at best.

    Equal pixels, of which not all have room among the K, share it: a constant map gets what a
    random one gets on average, the share of the picture that the mask takes.

    Args:
        relevance: (B, H, W). mask: (B, H, W) bool.

    Returns:
        (B,) float64; NaN where the mask is empty.
    """
    found = []
    for values, inside in zip(_rows(relevance), mask.reshape(len(mask), -1), strict=True):
        count = int(inside.sum())
        if not count or values.isnan().any():
            found.append(torch.nan)
            continue
        least = values.topk(count).values[-1]
        above, equal = values > least, values == least
        room = (count - above.sum()) / equal.sum()
        found.append(float(((above & inside).sum() + room * (equal & inside).sum()) / count))
    return torch.tensor(found, dtype=torch.float64)


def conservation_error(relevance: Tensor, start: Tensor) -> Tensor:
    """|sum of the relevance - start| / |start|, 0 at best: what biases and stabilisers took, or
    gave (Bach et al. 2015, DOI 10.1371/journal.pone.0130140, whose sum is the output).

    Args:
        relevance: (B, H, W). start: (B,) of the output, see `start_of`.

    Returns:
        (B,) float64; of a start of 0 infinity, or NaN where the relevance sums up to 0, too.
    """
    start = start.double()
    return (_rows(relevance).sum(dim=1) - start).abs() / start.abs()


def start_of(start: Start, outputs: Tensor, classes: Tensor, count: int) -> Tensor:
    """The relevance (B,) that starts at a network's outputs (B, M) of `count` classes, for the
    class index of each row (B,)."""
    values = start.fold(outputs.T, count).T
    return start.relevance(values, classes, count).sum(dim=1)


def local_mean(x: Tensor, window: int = WINDOW) -> Tensor:
    """(B, C, H, W) averaged over a window of odd side around each pixel, cut off at the border:
    what stands there without damage, in the surface's own colour and light."""
    half = window // 2
    rows = F.avg_pool2d(x, (window, 1), 1, (half, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, window), 1, (0, half), count_include_pad=False)


def region_sums(maps: Tensor, side: int = REGION) -> Tensor:
    """(B, H, W) summed over squares of `side` pixels, row by row: (B, N) float64. The last of a row
    or column may be cut off."""
    height, width = maps.shape[1:]
    padded = F.pad(maps.double(), (0, -width % side, 0, -height % side))
    sums = F.avg_pool2d(padded[:, None], side, divisor_override=1)
    return sums.flatten(1)


def ranks(scores: Tensor, seed: int = 0) -> Tensor:
    """(B, N) scores to the place of each in its row, 0 for the highest; equal ones in an order that
    the seed draws, so that a map with nothing in it is a random order. (B, N) of zeros draws one.

    Raises `ValueError` for NaN.
    """
    if scores.isnan().any():
        raise ValueError("regions of NaN have no order")
    drawn = torch.rand(scores.shape, generator=torch.Generator().manual_seed(seed))
    shuffled = drawn.argsort(dim=1).to(scores.device)
    by_score = scores.gather(1, shuffled).argsort(dim=1, descending=True, stable=True)
    return shuffled.gather(1, by_score).argsort(dim=1)


def perturbed(x: Tensor, instead: Tensor, places: Tensor, count: int, side: int = REGION) -> Tensor:
    """`x` with the first `count` regions of each row replaced.

    Args:
        x, instead: (B, C, H, W). places: (B, N), as `ranks` gives them for regions of `side`.
    """
    height, width = x.shape[2:]
    grid = (places < count).reshape(len(x), 1, -(-height // side), -(-width // side))
    chosen = grid.repeat_interleave(side, dim=2).repeat_interleave(side, dim=3)
    return torch.where(chosen[:, :, :height, :width], instead, x)


def falls(
    log_odds: Callable[[Tensor], Tensor],
    x: Tensor,
    instead: Tensor,
    places: Tensor,
    steps: Sequence[int] = STEPS,
    side: int = REGION,
    before: Tensor | None = None,
) -> Tensor:
    """By how much the log-odds fall as regions are replaced in their order (Samek et al. 2017, DOI
    10.1109/TNNLS.2016.2599820): with the most relevant first more is better, with the least
    relevant first less.

    A step beyond the number of regions replaces all of them. A picture that equals what stands in
    for it, as a constant one does, gives 0.

    Args:
        log_odds: (B, C, H, W) to (B,). x, instead, places: as of `perturbed`. before: (B,) the
            log-odds of `x`, where they are known.

    Returns:
        (B, len(steps)). Their mean is the area over the perturbation curve; over steps that grow by
        a factor, on a logarithmic axis.
    """
    before = log_odds(x) if before is None else before
    after = [log_odds(perturbed(x, instead, places, count, side)) for count in steps]
    return before[:, None] - torch.stack(after, dim=1)


def rank_correlation(a: Tensor, b: Tensor) -> Tensor:
    """Spearman's correlation of the magnitudes of two maps, (B, H, W) each: (B,) float64, -1 to 1;
    equal pixels get the mean of their ranks. NaN where a map is constant, or has NaN."""
    pairs = zip(_rows(a).abs().cpu().numpy(), _rows(b).abs().cpu().numpy(), strict=True)
    found = [_correlation(rankdata(one), rankdata(two)) for one, two in pairs]
    return torch.tensor(found, dtype=torch.float64)


def randomised(model: Classifier, seed: int = 0) -> Iterator[tuple[str, Classifier]]:
    """Layers in the order in which they lose what they learned, from the last to the first, and
    the model without what all of them so far had learned (Adebayo et al. 2018, arXiv:1810.03292,
    cascading randomisation): a map that hardly changes does not explain the model.

    Each layer gets the weights that a new one starts from. `model` stays as it is; what is yielded
    is one copy, which the next step changes further.
    """
    copied = copy.deepcopy(model)
    layers = [(n, m) for n, m in copied.named_modules() if hasattr(m, "reset_parameters")]
    for name, module in reversed(layers):
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            module.reset_parameters()
        yield name, copied


def _rows(maps: Tensor) -> Tensor:
    return maps.reshape(len(maps), -1).double()


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson's of two rows; NaN where one is constant."""
    a, b = a - a.mean(), b - b.mean()
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length else np.nan
