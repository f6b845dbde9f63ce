"""The shipped weights: they load, are small, and find the damage of the samples."""

import numpy as np
import pytest
from PIL import Image
from torch import nn

import lrpseg
from lrpseg.domains import assets_folder, list_domains, load_domain
from lrpseg.models.networks import NETWORKS


def test_networks_have_the_paper_s_layers() -> None:
    def layers(name: str, kind: type[nn.Module]) -> list[tuple[int, ...]]:
        found = (m for m in NETWORKS[name].build().modules() if isinstance(m, kind))
        return [tuple(m.weight.shape) for m in found]  # type: ignore[arg-type]

    assert layers("one-fc", nn.Linear) == [(2, 25088)]
    assert layers("128n", nn.Linear) == [(128, 25088), (128, 128), (2, 128)]
    channels = [shape[0] for shape in layers("one-fc", nn.Conv2d)]
    assert channels == [64, 128, 256, 256, 512, 512, 512, 512]


SHIPPED = [(d, n) for d in list_domains() for n in load_domain(d).checkpoints]


@pytest.mark.parametrize(("domain", "network"), SHIPPED)
def test_shipped_checkpoints_load_and_are_small(domain: str, network: str) -> None:
    segmenter = lrpseg.load(domain, network=network)
    assert segmenter.domain.checkpoint(network).stat().st_size < 30e6


def test_the_shipped_model_works_on_the_samples() -> None:
    samples = assets_folder() / "samples"
    segmenter = lrpseg.load("magnetic-tile", batch=1)
    for name in ("1-blowhole", "2-crack", "3-several"):
        result = segmenter(samples / f"{name}.png")
        truth = np.asarray(Image.open(samples / "truth" / f"{name}.png")) > 0
        assert result.damaged, name
        assert (result.mask & truth).any(), name
    assert not segmenter(samples / "4-intact.png").damaged
