"""The paper's own figures (Seibold et al., VISAPP 2022, Tables 2 to 5), to stand beside ours.

Its sewer pipes are private; the concrete set here is another one, so no figure on it can be
compared with Tables 4 and 5.
"""

from training.metrics import Figures

CLASSIFICATION: dict[str, dict[str, tuple[float, float, float]]] = {
    "magnetic-tile": {"128n": (0.961, 0.957, 0.965), "one-fc": (0.985, 0.971, 0.999)},
}
"""Balanced accuracy, TPR, TNR (Table 2) by domain and network."""

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
}
"""IoU, precision, recall (Table 3) by domain and (network, rule set, thresholder)."""

UNET: dict[str, Figures] = {"magnetic-tile": Figures(0.461, 0.578, 0.699)}
"""The U-Net of Table 3, trained on pixel masks."""
