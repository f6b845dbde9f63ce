"""Learning from corrections: fine-tunes a self-trained network on what people corrected."""

from lrpseg.learning.figures import Figures, figures_of, predict
from lrpseg.learning.loss import weighted_loss
from lrpseg.learning.run import Learned, learn
from lrpseg.learning.source import corrected_items
from lrpseg.learning.tuning import Recipe, fine_tune
from lrpseg.learning.versions import forget_version, read_report

__all__ = [
    "Figures",
    "Learned",
    "Recipe",
    "corrected_items",
    "figures_of",
    "fine_tune",
    "forget_version",
    "learn",
    "predict",
    "read_report",
    "weighted_loss",
]
