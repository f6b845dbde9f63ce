"""Made-up results for tests of workspaces: no network runs."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from lrpseg.pipeline.results import Found, Result
from lrpseg.pipeline.settings import Settings
from lrpseg.workspace import Item, Workspace
from lrpseg.workspace.intake import Limits

SETTINGS = Settings(
    domain="toy", network="one-fc", rule_set="ours", thresholder="simple", refiner="none"
)
PAIR = replace(SETTINGS, domain="pair")
SHAPE = (40, 50)
LIMITS = Limits(max_bytes=2_000_000, max_files=50, max_expanded=5_000_000)


def picture(seed: int = 0, shape: tuple[int, int] = SHAPE) -> bytes:
    """A PNG of noise."""
    values = np.random.default_rng(seed).integers(0, 255, (*shape, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def result(seed: int = 0, explained: bool = True, shape: tuple[int, int] = SHAPE) -> Result:
    """A result with a bright square and noise."""
    random = np.random.default_rng(seed)
    relevance = random.normal(0, 0.1, shape).astype(np.float32)
    relevance[5:15, 10:20] += 3
    if not explained:
        relevance[:] = 0
    image = random.integers(0, 255, (*shape, 3), dtype=np.uint8)
    found = Found("damaged", 0.9 if explained else 0.1, explained, explained, relevance)
    return Result.of(image, SETTINGS, [found])


def analysed(workspace: Workspace, name: str = "a.png", explained: bool = True) -> Item:
    """A picture that has been added and analysed."""
    item = workspace.add(name, picture(), SETTINGS)
    workspace.finish(item.id, item.analysis_key, result(explained=explained))
    return workspace.item(item.id)


def folder_of(workspace: Workspace, item: Item) -> Path:
    return workspace.folder / "items" / item.id


def make_zip(entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of entries by name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


def add_domain(assets: Path, name: str, classes: list[object]) -> None:
    """A domain with these classes beside `toy`, whose weights nobody runs."""
    folder, toy = assets / name, assets / "toy"
    folder.mkdir()
    (folder / "one-fc.safetensors").symlink_to(toy / "one-fc.safetensors")
    held = json.loads((toy / "domain.json").read_text())
    (folder / "domain.json").write_text(json.dumps(held | {"intact": "ok", "classes": classes}))


def result_of_two(seed: int = 0, explained: tuple[bool, bool] = (True, True)) -> Result:
    """A result of the domain `pair`: a square of each class, which overlap."""
    random = np.random.default_rng(seed)
    image = random.integers(0, 255, (*SHAPE, 3), dtype=np.uint8)
    found = []
    for place, (name, there) in enumerate(zip(("crack", "hole"), explained, strict=True)):
        relevance = random.normal(0, 0.1, SHAPE).astype(np.float32)
        relevance[5 + 5 * place : 15 + 5 * place, 10:20] += 3
        found.append(Found(name, 0.9 - 0.2 * place, there, there, relevance * np.float32(there)))
    return Result.of(image, PAIR, found)
