"""Pictures, workspaces and recipes for the tests of learning."""

import io

import numpy as np
import torch
from PIL import Image

from lrpseg.domains import load_domain
from lrpseg.domains.weights import load_decider
from lrpseg.formats.reading import ReadMask
from lrpseg.learning import Recipe
from lrpseg.learning.versions import save_version
from lrpseg.pipeline.results import Found, Result
from lrpseg.workspace import Item, Workspace, import_masks
from tests.workspace_support import SETTINGS
from training.data.drawn_damage import Drawing, draw_damage

CPU = torch.device("cpu")
QUICK = Recipe(steps=40, batch=4, keep=0, size=64, lr=2e-3, blend=1)
DRAWING = Drawing(1.0, (14, 22), (2, 4), (20, 40), 0, (0.7, 0.8))


def drawn(seed: int, shape: tuple[int, int] = (224, 224)) -> tuple[np.ndarray, np.ndarray]:
    """A grey surface with a large dark hole, and its mask."""
    random = np.random.default_rng(seed)
    surface = random.normal(150, 6, (*shape, 1)).clip(0, 255).astype(np.uint8)
    return draw_damage(np.repeat(surface, 3, axis=2), random, DRAWING)


def encoded(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def add_drawn(workspace: Workspace, seed: int, name: str | None = None) -> Item:
    """A picture whose mask was imported before it was analysed."""
    image, mask = drawn(seed)
    item = workspace.add(name or f"{seed}.png", encoded(image), SETTINGS)
    done = import_masks(workspace, [ReadMask(item.name, mask)])
    assert done.names == [item.name]
    return workspace.item(item.id)


def add_intact(workspace: Workspace, seed: int, accept: bool = True) -> Item:
    """A picture that was classified intact, and perhaps accepted as such."""
    values = np.random.default_rng(seed).normal(150, 6, (224, 224, 1)).clip(0, 255)
    image = np.repeat(values.astype(np.uint8), 3, axis=2)
    item = workspace.add(f"intact-{seed}.png", encoded(image), SETTINGS)
    nothing = np.zeros(image.shape[:2], np.float32)
    found = Found("damaged", 0.1, False, False, nothing)
    result = Result.of(image, SETTINGS, [found])
    workspace.finish(item.id, item.analysis_key, result)
    if accept:
        workspace.set_status(item.id, "accepted")
    return workspace.item(item.id)


def save(base: str = "toy", title: str = "Learned {version}") -> str:
    """A version of `base` whose weights are the shipped ones; its name."""
    model = load_decider(load_domain("toy"), "self-trained")
    return save_version(load_domain(base), model.own, title, {"base": base}, "{name}").name
