"""Things that many tests need: a toy domain with random weights, drawn pictures, and limits.

Nothing heavy is imported here before it is needed: with several workers, the process that hands
out the tests reads this file too.
"""

import ctypes
import gc
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lrpseg.core.memory import give_back_freed

if TYPE_CHECKING:
    from xdist.scheduler import LoadFileScheduling

    from lrpseg.models.networks import Network
    from lrpseg.models.self_trained import Decider
    from tests.remembered import RememberedSegmenters

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
if WORKER:  # each has a core, and ports of its own to look for a free one
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("GRADIO_SERVER_PORT", str(7860 + 100 * int(WORKER.removeprefix("gw"))))
    give_back_freed()
os.environ["LRPSEG_DOMAINS"] = ""  # what whoever runs the tests has learned is no part of them
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
# Of this process alone: a page whose clock jumps, in a test, removes uploads that are old by it.
UPLOADS = os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="lrpseg-tests-")

LONGEST = ("page", "web", "learning", "lrp", "training", "folders", "pipeline", "soak", "formats")
"""Folders whose tests start first: two workers that share the rest end together. The processes of
"soak" come when the page's browser and servers are gone: memory holds one or the other."""

DOMAIN = {
    "title": "Toy surfaces",
    "classes": ["intact", "damaged"],
    "normalisation": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
    "checkpoints": {"one-fc": "one-fc.safetensors"},
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return LONGEST.index(folder) if folder in LONGEST else len(LONGEST)

    items.sort(key=rank)


def pytest_unconfigure() -> None:
    shutil.rmtree(UPLOADS, ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> "LoadFileScheduling":
    """A worker gets a file at a time; all of the page's tests go to one: it has the only browser,
    and memory holds one browser and one server for them."""
    from xdist.scheduler import LoadFileScheduling

    class OneBrowser(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return (
                "tests/page" if nodeid.startswith("tests/page/") else super()._split_scope(nodeid)
            )

    return OneBrowser(config, log)


@pytest.fixture(scope="module", autouse=True)
def _memory_goes_back() -> Iterator[None]:
    """After each module: glibc keeps what was freed, hundreds of megabytes after networks ran."""
    yield
    gc.collect()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


@pytest.fixture(scope="session")
def segmenters(tmp_path_factory: pytest.TempPathFactory) -> "RememberedSegmenters":
    """Segmenters for pages: a picture is analysed once in a run, by whichever worker is first."""
    from tests.remembered import RememberedSegmenters

    base = tmp_path_factory.getbasetemp()
    return RememberedSegmenters((base.parent if WORKER else base) / "results")


def add_self_trained(folder: Path, seed: int = 0) -> "Decider":
    """Give the domain in `folder`, which has a one-fc, an untrained self-trained network."""
    import torch

    from lrpseg.models.checkpoints import load_checkpoint, save_checkpoint
    from lrpseg.models.self_trained import Decider

    torch.manual_seed(seed)
    decider = Decider.untrained(load_checkpoint(folder / "one-fc.safetensors", "one-fc"))
    save_checkpoint(decider.own, folder / "self-trained.safetensors", "self-trained")
    held = {name: f"{name}.safetensors" for name in ("one-fc", "self-trained")}
    (folder / "domain.json").write_text(json.dumps(DOMAIN | {"checkpoints": held}))
    return decider.eval()


@pytest.fixture(scope="session")
def toy_assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An assets folder with the domain `toy`: a random network that calls everything damaged."""
    from lrpseg.models.networks import NETWORKS

    return _toy(tmp_path_factory.mktemp("assets"), NETWORKS["one-fc"])


@pytest.fixture(scope="session")
def narrow_assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of a narrow network, see `narrow`."""
    from tests.narrow import NARROW

    return _toy(tmp_path_factory.mktemp("narrow"), NARROW)


def _toy(assets: Path, network: "Network") -> Path:
    import torch

    from lrpseg.models.checkpoints import save_checkpoint

    torch.manual_seed(0)
    model = network.build()
    with torch.no_grad():
        model.classifier[0].bias.copy_(torch.tensor([-3.0, 3.0]))
    (assets / "toy").mkdir()
    save_checkpoint(model, assets / "toy" / "one-fc.safetensors", "one-fc", {"seed": "0"})
    (assets / "toy" / "domain.json").write_text(json.dumps(DOMAIN))
    return assets


@pytest.fixture
def picture() -> np.ndarray:
    """(250, 300, 3) uint8: a bright surface with noise and a dark spot."""
    random = np.random.default_rng(0)
    image = random.integers(150, 200, (250, 300, 3), dtype=np.uint8)
    image[100:120, 140:170] = 30
    return image


@pytest.fixture
def only_toy(toy_assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The domain `toy` is the only shipped one."""
    monkeypatch.setenv("LRPSEG_ASSETS", str(toy_assets))


@pytest.fixture
def narrow(narrow_assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The domain `toy` is the only shipped one, and its network is narrow: for tests of what is
    done with results, which no network's size changes."""
    from lrpseg.models.networks import NETWORKS
    from tests.narrow import NARROW

    monkeypatch.setenv("LRPSEG_ASSETS", str(narrow_assets))
    monkeypatch.setitem(NETWORKS._things, "one-fc", NARROW)
