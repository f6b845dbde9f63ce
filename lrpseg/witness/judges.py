"""What judges patches: from tokens to a value of each patch, higher where damage is.

To add a judge, add one entry to `JUDGES`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import torch
from torch import Tensor

from lrpseg.core.registry import Registry
from lrpseg.witness.nearest import nearest
from lrpseg.witness.space import Space

LEAST_SPREAD = 1e-4
"""Components that vary less are divided by this."""


class Judge(Protocol):
    """Judges patches; frozen, and safe to share."""

    @property
    def space(self) -> Space: ...

    def __call__(self, tokens: Tensor) -> Tensor:
        """Tokens (N, C) float32 of a `centred` picture to a value (N,) of each."""
        ...

    def to(self, where: torch.device) -> Self:
        """The same on another device."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """What it is made of besides its space, by name."""
        ...


@dataclass(frozen=True, eq=False)
class Nearest:
    """The distance to the nearest patch of intact surfaces: no damage was ever shown to it.

    bank: (M, D) float32, in the space.
    """

    name: ClassVar[str] = "nearest"
    space: Space
    bank: Tensor

    def __call__(self, tokens: Tensor) -> Tensor:
        return nearest(self.space(tokens), self.bank)

    def to(self, where: torch.device) -> "Nearest":
        return Nearest(self.space.to(where), self.bank.to(where))

    def tensors(self) -> dict[str, Tensor]:
        return {"bank": self.bank}

    @classmethod
    def of(cls, space: Space, tensors: Mapping[str, Tensor]) -> "Nearest":
        return cls(space, tensors["bank"].float())


@dataclass(frozen=True, eq=False)
class Logistic:
    """The log-odds of a logistic function of patches, which learned from labels of pictures: what a
    picture's decision is made of divides into patches exactly.

    weight: (D,), of components of spread 1; bias: (1,), both float32.
    """

    name: ClassVar[str] = "logistic"
    space: Space
    weight: Tensor
    bias: Tensor

    def __call__(self, tokens: Tensor) -> Tensor:
        return self.space(tokens) / self.space.spread.clamp(min=LEAST_SPREAD) @ self.weight + (
            self.bias
        )

    def to(self, where: torch.device) -> "Logistic":
        return Logistic(self.space.to(where), self.weight.to(where), self.bias.to(where))

    def tensors(self) -> dict[str, Tensor]:
        return {"weight": self.weight, "bias": self.bias}

    @classmethod
    def of(cls, space: Space, tensors: Mapping[str, Tensor]) -> "Logistic":
        return cls(space, tensors["weight"].float(), tensors["bias"].float())


JUDGES: Registry[type[Nearest] | type[Logistic]] = Registry("judge")
for _judge in (Nearest, Logistic):
    JUDGES.add(_judge.name, _judge)
