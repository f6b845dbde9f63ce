"""The paper's own figures (Seibold et al., VISAPP 2022, Tables 2 to 5), to stand beside ours.

Its sewer pipes are private. Their figures stand beside those of the public concrete set as an
orientation alone: the pictures, their masks and the rarity of damage all differ.
"""

from lrpseg.masks.figures import Figures

CLASSIFICATION: dict[str, dict[str, tuple[float, float, float]]] = {
    "magnetic-tile": {"128n": (0.961, 0.957, 0.965), "one-fc": (0.985, 0.971, 0.999)},
    "concrete-crack": {"128n": (0.953, 0.928, 0.975), "one-fc": (0.974, 0.985, 0.962)},
}
"""Balanced accuracy, TPR, TNR (Tables 2 and 4) by domain and network."""

SEGMENTATION: dict[str, dict[tuple[str, str, str], Figures]] = {
    "magnetic-tile": {
        ("128n", "ours", "simple"): Figures(0.349, 0.352, 0.976),
        ("128n", "ours", "gmm"): Figures(0.129, 0.129, 0.993),
        ("128n", "ours", "bmm"): Figures(0.462, 0.638, 0.679),
        ("128n", "montavon", "simple"): Figures(0.466, 0.497, 0.897),
        ("128n", "montavon", "gmm"): Figures(0.216, 0.216, 0.996),
        ("128n", "montavon", "bmm"): Figures(0.332, 0.703, 0.448),
        ("one-fc", "ours", "simple"): Figures(0.386, 0.404, 0.944),
        ("one-fc", "ours", "gmm"): Figures(0.168, 0.169, 0.991),
        ("one-fc", "ours", "bmm"): Figures(0.402, 0.669, 0.614),
        ("one-fc", "montavon", "simple"): Figures(0.425, 0.491, 0.808),
        ("one-fc", "montavon", "gmm"): Figures(0.238, 0.246, 0.947),
        ("one-fc", "montavon", "bmm"): Figures(0.317, 0.686, 0.470),
    },
    "concrete-crack": {
        ("128n", "ours", "simple"): Figures(0.282, 0.381, 0.671),
        ("128n", "ours", "gmm"): Figures(0.272, 0.331, 0.718),
        ("128n", "ours", "bmm"): Figures(0.314, 0.469, 0.578),
        ("128n", "montavon", "simple"): Figures(0.292, 0.418, 0.614),
        ("128n", "montavon", "gmm"): Figures(0.249, 0.316, 0.689),
        ("128n", "montavon", "bmm"): Figures(0.303, 0.525, 0.483),
        ("one-fc", "ours", "simple"): Figures(0.297, 0.381, 0.727),
        ("one-fc", "ours", "gmm"): Figures(0.270, 0.169, 0.782),
        ("one-fc", "ours", "bmm"): Figures(0.337, 0.318, 0.647),
        ("one-fc", "montavon", "simple"): Figures(0.340, 0.464, 0.669),
        ("one-fc", "montavon", "gmm"): Figures(0.281, 0.332, 0.785),
        ("one-fc", "montavon", "bmm"): Figures(0.321, 0.686, 0.488),
    },
}
"""IoU, precision, recall (Tables 3 and 5, as printed) by domain and (network, rule set,
thresholder). Three rows of Table 5 hold figures that no pixel counts can give together (a mean
precision of 0.169 with a mean IoU of 0.270): they are printed so."""

UNET: dict[str, Figures] = {
    "magnetic-tile": Figures(0.461, 0.578, 0.699),
    "concrete-crack": Figures(0.321, 0.450, 0.797),
}
"""The U-Net of Tables 3 and 5, trained on pixel masks (Table 5 prints two precisions for it)."""

SURFACE: dict[str, str] = {"magnetic-tile": "magnetic tiles", "concrete-crack": "sewer pipes"}
"""What the paper's figures of each domain were measured on."""
