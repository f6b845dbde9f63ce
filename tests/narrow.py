"""Networks of the shipped ones' shape with a sixteenth of their width: runs of them cost little."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lrpseg.core.images import read_image
from lrpseg.domains import assets_folder
from lrpseg.models.checkpoints import save_checkpoint
from lrpseg.models.contract import DAMAGED as ONE_CLASS
from lrpseg.models.inputs import Normalisation
from lrpseg.models.networks import NETWORKS, Network
from lrpseg.models.vgg import VGG_A, Vgg
from lrpseg.pipeline.tiling import TileGrid


def _narrow(name: str, hidden: tuple[int, ...] = ()) -> Network:
    def build(classes: tuple[str, ...] = ONE_CLASS) -> Vgg:
        return Vgg(VGG_A, hidden, classes, width=4)

    return replace(NETWORKS[name], build=build)


NARROW = _narrow("one-fc")
ALL = {"one-fc": NARROW, "128n": _narrow("128n", (16, 16))}


def use_narrow() -> None:
    """In this process, one-fc is narrow: for processes of their own that read `narrow_assets`."""
    NETWORKS._things["one-fc"] = NARROW


@contextmanager
def narrow_tiles(assets: Path) -> Iterator[None]:
    """While it lasts, the folder `assets` holds the only domain, magnetic-tile, whose networks are
    narrow and random, and yet call the damaged sample damaged and the intact one intact."""
    from tests.page_support import DAMAGED, INTACT

    shipped = json.loads((assets_folder() / "magnetic-tile" / "domain.json").read_text("utf-8"))
    folder = assets / "magnetic-tile"
    folder.mkdir(parents=True)
    for name, network in ALL.items():
        save_checkpoint(_deciding(network, DAMAGED, INTACT), folder / f"{name}.safetensors", name)
    held = {name: f"{name}.safetensors" for name in ALL}
    kept = {k: v for k, v in shipped.items() if k in ("title", "classes", "normalisation")}
    (folder / "domain.json").write_text(json.dumps(kept | {"checkpoints": held}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRPSEG_ASSETS", str(assets))
        for name, network in ALL.items():
            patch.setitem(NETWORKS._things, name, network)
        yield


def _deciding(network: Network, damaged: Path, intact: Path) -> torch.nn.Module:
    """A random network whose log-odds are 3 for one picture's last tile, and at most -3 for all of
    the other's."""
    tiles = [_tiles(damaged)[-1:], _tiles(intact)]
    for seed in range(20):
        torch.manual_seed(seed)
        model = network.build().eval()
        for layer in model.modules():  # a signal keeps its scale
            if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
                torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        with torch.no_grad():
            high, low = (model.log_odds(model(Normalisation()(t)))[:, 0] for t in tiles)
            if high > low.max():
                slope = 6 / float(high - low.max())
                model.calibrate(slope, 3 - slope * float(high))
                return model
    raise AssertionError("no such network")


def _tiles(path: Path) -> torch.Tensor:
    """(N, 224, 224, 3) uint8, as a segmenter cuts them."""
    image = read_image(path)
    return torch.from_numpy(np.stack([tile.of(image) for tile in TileGrid(*image.shape[:2])]))
