"""What lrpseg asks of a classifier: its input, its stages of features, its head, its classes.

Whoever explains, calibrates, trains or stores a network reads this and nothing else of it.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lrpseg.core.errors import CheckpointError

TILE = 224
"""Side in pixels of the tiles of a network that takes any side."""

DAMAGED = ("damaged",)
"""The classes of a network that tells damage from intact, and no kinds of damage."""


@dataclass(frozen=True)
class Stage:
    """Features of one resolution; stride: input pixels from one to the next along a side."""

    channels: int
    stride: int


def output_count(classes: int) -> int:
    """Outputs of a network for so many classes: intact and damaged for one, else a logit each.

    >>> output_count(1), output_count(3)
    (2, 3)
    """
    return 2 if classes == 1 else classes


class Classifier(nn.Module, ABC):
    """A network that tells from a picture which damage is in it.

    side: of its square input in pixels; None: any multiple of `stages[-1].stride`. stages: from the
    finest on. classes: names of the damage that it tells, one or more; "intact" is none of them.
    stands_for: fingerprints, in hexadecimal, of the features that these were before they were
    stored with fewer bits: networks that were trained on those work on these as well.

    `forward` can be traced by `torch.fx`: no branch in it depends on values. Its last layer is an
    `nn.Linear` with a bias.
    """

    side: int | None
    stages: tuple[Stage, ...]
    classes: tuple[str, ...]
    stands_for: tuple[str, ...] = ()

    @property
    @abstractmethod
    def head(self) -> nn.Module:
        """What follows the features: linear layers with their ReLUs and dropout."""

    @abstractmethod
    def scales(self, x: Tensor) -> list[Tensor]:
        """Features of each stage, (B, channels, H / stride, W / stride).

        `x`: (B, 3, H, W) normalised, H and W multiples of `stages[-1].stride`; not only of `side`.
        """

    @abstractmethod
    def classify(self, last: Tensor) -> Tensor:
        """The outputs, as of `forward`, from the last of the `scales` of an input of `side`."""

    @abstractmethod
    def stage_of(self, name: str) -> int | None:
        """Stage of the module called `name`, from 1 on; None: it lies in the head."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) normalised RGB to (B, 2) logits of (intact, damaged) for one class, else to
        (B, K), an independent logit for each class."""
        return self.classify(self.scales(x)[-1])

    def log_odds(self, outputs: Tensor) -> Tensor:
        """Outputs of `forward` to log-odds (B, K), positive where a class is predicted: z1 - z0 for
        one class, the logit itself for several."""
        return log_odds_of(outputs, len(self.classes))

    @property
    def tile(self) -> int:
        """Side in pixels of the tiles in which it gets pictures."""
        return self.side or TILE

    @property
    def output(self) -> nn.Linear:
        """The last layer."""
        return [m for m in self.head.modules() if isinstance(m, nn.Linear)][-1]

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """Those of the head, which starts at random."""
        return self.head.parameters()

    def body_parameters(self) -> Iterator[nn.Parameter]:
        """Those of the features, which start from pretrained weights."""
        head = {id(p) for p in self.head.parameters()}
        return (p for p in self.parameters() if id(p) not in head)

    def calibrate(self, slope: float | Sequence[float], offset: float | Sequence[float]) -> None:
        """Put slope * z + offset in place of the log-odds z, in the output layer.

        LRP's relevance of the log-odds is multiplied by the slope, all of it alike. Of several
        classes each may have its own slope and offset, in the order of `classes`.
        """
        output = self.output
        factor = torch.as_tensor(slope, dtype=torch.float32).reshape(-1)
        shift = torch.as_tensor(offset, dtype=torch.float32).reshape(-1)
        if not {len(factor), len(shift)} <= {1, len(self.classes)}:
            raise ValueError(
                f"one slope and offset, or one for each of {len(self.classes)} classes"
            )
        if len(self.classes) == 1:  # half of it on each side
            shift = torch.cat([-shift / 2, shift / 2])
        with torch.no_grad():
            output.weight.mul_(factor[:, None].to(output.weight.device))
            output.bias.mul_(factor.to(output.bias.device)).add_(shift.to(output.bias.device))

    def start_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Fill it with `tensors` by name: all of it where all fit, else the features alone, beside
        a head that stays as it is.

        Raises:
            CheckpointError: features are missing, or have another shape.
        """
        state = self.state_dict()
        fit = {k: v for k, v in tensors.items() if k in state and state[k].shape == v.shape}
        if fit.keys() != state.keys() or len(fit) != len(tensors):
            fit = {k: v for k, v in fit.items() if self.stage_of(k) is not None}
        # Files of before batch norm counted its batches lack that count; nothing reads it.
        lacking = [
            k for k in state
            if self.stage_of(k) is not None and k not in fit and not k.endswith(COUNTER)
        ]  # fmt: skip
        if lacking:
            raise CheckpointError(
                f"These weights lack {', '.join(lacking[:3])} of the features, or hold them in "
                "another shape. Use weights of the same network."
            )
        self.load_state_dict({k: v.to(state[k].dtype) for k, v in fit.items()}, strict=False)


COUNTER = "num_batches_tracked"
"""Last part of the name of what batch norm counts its batches in."""


def log_odds_of(outputs: Tensor, classes: int) -> Tensor:
    """(B, 2) logits of (intact, damaged) for one class, else (B, K) logits, to log-odds (B, K)."""
    return outputs[:, 1:] - outputs[:, :1] if classes == 1 else outputs
