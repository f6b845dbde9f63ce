"""A domain's network with its weights, as it is used: what decides, and what it finds itself."""

from collections.abc import Sequence

from torch import Tensor, device

from lrpseg.models.contract import Classifier
from lrpseg.models.self_trained import Decider


class Loaded:
    """A classifier by itself.

    classifier: the network whose relevance is shown, calibrated.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    @property
    def side(self) -> int | None:
        """Side of its square input in pixels; None: any multiple of the coarsest stride."""
        return self.classifier.side

    @property
    def tile(self) -> int:
        """Side in pixels of the tiles in which it gets pictures."""
        return self.classifier.tile

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the damage classes."""
        return self.classifier.classes

    def to(self, where: device) -> "Loaded":
        """Itself, on the device `where`."""
        self.classifier.to(where)
        return self

    def likelihood(self, x: Tensor) -> Tensor | None:
        """(B, 3, H, W) normalised to its own likelihood of each class (B, K, H, W), 0 to 1; None
        where relevance is all that it gives."""
        return None

    def likelihood_of(self, scales: Sequence[Tensor]) -> Tensor | None:
        """The same from the classifier's `scales`."""
        return None

    def judge(self, likelihood: Tensor | None, log_odds: Tensor) -> Tensor:
        """The log-odds (B, K) that decide, from its `likelihood` and the classifier's log-odds."""
        return log_odds

    def decide(self, x: Tensor) -> tuple[Tensor | None, Tensor]:
        """(B, 3, H, W) normalised to (`likelihood`, log-odds (B, K)); in one pass."""
        return None, self.classifier.log_odds(self.classifier(x))


class LoadedDecider(Loaded):
    """A network that proposes masks itself, and the classifier on whose features it does."""

    def __init__(self, decider: Decider) -> None:
        super().__init__(decider.classifier)
        self.decider = decider

    def to(self, where: device) -> "LoadedDecider":
        self.decider.to(where)
        return self

    def likelihood(self, x: Tensor) -> Tensor:
        return self.decider.likelihood(x)

    def likelihood_of(self, scales: Sequence[Tensor]) -> Tensor:
        return self.decider.own.likelihood(self.decider.own(scales))

    def judge(self, likelihood: Tensor | None, log_odds: Tensor) -> Tensor:
        assert likelihood is not None
        return self.decider.own.log_odds(likelihood, log_odds)

    def decide(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.decider.decide(x)
