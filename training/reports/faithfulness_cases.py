"""The damaged crops on which faithfulness is measured, and a classifier's decision about them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrpseg.domains import Domain
from lrpseg.lrp import STARTS
from lrpseg.lrp.faithfulness import STEPS, falls, local_mean, start_of
from lrpseg.models.contract import Classifier
from training.data.datasets import Example
from training.reports.evaluate import crops_of, several_of, side_of
from training.reports.systems import Maps

BATCH = 8
Values = NDArray[np.float64]
"""A figure of each case, (N,), or of each case and step, (N, steps)."""


@dataclass(frozen=True, eq=False)
class Cases:
    """N pairs of a damaged crop and a class that it shows.

    images: (M, side, side, 3) uint8. picture, kind: (N,) indices of the crop and of the class.
    truth: (N, side, side) bool. regions: (N,).
    """

    images: NDArray[np.uint8]
    picture: NDArray[np.int64]
    kind: NDArray[np.int64]
    truth: NDArray[np.bool_]
    regions: Sequence[str]

    def of(self, maps: Maps) -> Tensor:
        """The maps (N, side, side) of the pairs, from those of all crops and classes."""
        return torch.from_numpy(maps[self.picture, self.kind])


def spread(examples: Sequence[Example], limit: int | None, seed: int) -> list[Example]:
    """At most `limit` of the examples: in turn one of each region, in an order that the seed
    draws."""
    if limit is None or limit >= len(examples):
        return list(examples)
    drawn = np.random.default_rng(seed).permutation(len(examples))
    turns: dict[str, int] = defaultdict(int)
    order = []
    for index in drawn:
        region = examples[index].region
        order.append((turns[region], index))
        turns[region] += 1
    first = sorted(order, key=lambda pair: pair[0])[:limit]  # stable: as drawn within a turn
    return [examples[index] for index in sorted(index for _, index in first)]


def cases_of(examples: Sequence[Example], domain: Domain) -> Cases:
    """Each crop with each class that it shows."""
    several = several_of(domain)
    crops = crops_of(examples, False, side_of(domain), several)
    pairs = [
        (i, k, mask)
        for k, kind in enumerate(several or ("",))
        for i, mask in zip(crops.showing(kind), crops.of(kind).truth, strict=True)
    ]
    picture, kind, truth = zip(*pairs, strict=True)
    return Cases(
        np.stack(crops.images), np.array(picture), np.array(kind), np.stack(truth),
        [crops.regions[i] for i in picture],
    )  # fmt: skip


class Decision:
    """A classifier's log-odds under perturbation of the cases; an order that came before is not
    run again. bfloat16: in 16 bits, which processors with AMX do three times as fast; `rounding`
    is the most that it changes of the log-odds (N,) `before`."""

    def __init__(
        self, model: Classifier, domain: Domain, cases: Cases, device: torch.device,
        bfloat16: bool = False,
    ) -> None:  # fmt: skip
        order = torch.channels_last
        self.model, self.cases, self.device = model.to(memory_format=order), cases, device
        x = domain.normalisation(torch.from_numpy(cases.images)).to(device)
        self.x = x.contiguous(memory_format=order)
        self.instead = local_mean(self.x)
        self.bfloat16 = bfloat16
        self._known: dict[bytes, Values] = {}
        self.before = self.starts("log-odds")
        with torch.inference_mode():
            self._before = torch.cat([self._log_odds(self._x(r), r) for r in self._rows()])
        self.rounding = float((self.before - self._before).abs().max())

    @torch.inference_mode()
    def falls(self, places: Tensor) -> Values:
        """(N, steps), for the regions' places (N, regions)."""
        key = places.clamp(max=max(STEPS)).numpy().tobytes()
        if key not in self._known:
            parts = [self._part(places, rows) for rows in self._rows()]
            self._known[key] = torch.cat(parts).double().cpu().numpy()
        return self._known[key]

    def _part(self, places: Tensor, rows: Tensor) -> Tensor:
        def log_odds(inputs: Tensor) -> Tensor:
            return self._log_odds(inputs, rows)

        x, instead = self._x(rows), self.instead[self._pictures(rows)]
        before = self._before[rows.to(self.device)]
        return falls(log_odds, x, instead, places[rows].to(self.device), before=before)

    def _log_odds(self, inputs: Tensor, rows: Tensor) -> Tensor:
        """(B,) of the class of each row, for `inputs` (B, 3, side, side)."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            outputs = self.model(inputs)
        kinds = torch.from_numpy(self.cases.kind)[rows].to(self.device)[:, None]
        return self.model.log_odds(outputs.float()).gather(1, kinds)[:, 0]

    def _x(self, rows: Tensor) -> Tensor:
        return self.x[self._pictures(rows)]

    def _pictures(self, rows: Tensor) -> Tensor:
        return torch.from_numpy(self.cases.picture)[rows].to(self.device)

    @torch.inference_mode()
    def starts(self, start: str) -> Tensor:
        """(N,) the relevance that LRP started from."""
        found = []
        for rows in self._rows():
            outputs = self.model(self._x(rows))
            kinds = torch.from_numpy(self.cases.kind)[rows].to(self.device)
            found.append(start_of(STARTS[start], outputs, kinds, len(self.model.classes)))
        return torch.cat(found)

    def _rows(self) -> Sequence[Tensor]:
        return torch.arange(len(self.cases.picture)).split(BATCH)
