"""Exports with awkward names, loaded by Ultralytics and anomalib themselves, as for training."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lrpseg.formats import FORMATS, ExportOptions
from tests.formats.pictures import MASKS, annotated
from tests.formats.test_awkward_names import AWKWARD
from tests.formats.test_foreign_readers import ROOT, SCRIPT

pytestmark = pytest.mark.slow

MORE = ["images/a.png", "belt/images/1.png", "labels/z.png", "a b.png", "a,b.png", "#1.png",
        "%20.png", "[1].png", "a'b.png", "-a.png", "x.JPG", "y.tif"]  # fmt: skip
SMALLEST = 10
"""Pixels of a side; Ultralytics passes over smaller pictures."""


def wanted() -> dict[str, np.ndarray]:
    """Masks by the names of their pictures, no two of which are alike, but the empty ones."""
    found = {name: mask for name, mask in MASKS.items() if min(mask.shape) >= SMALLEST}
    names = [*AWKWARD, *MORE]
    for number, name in enumerate(names):
        found[name] = np.zeros((SMALLEST, len(names)), bool)
        found[name][2:6, number] = True
    return found


def loaded(tool: str, export: Path) -> dict[str, dict[str, np.ndarray]]:
    """Picture to label to mask, as a tool loads them."""
    default = ROOT / ".venv-loaders" / "bin" / "python"
    python = Path(os.environ.get("LRPSEG_LOADERS", default))
    if not python.exists():
        pytest.skip(f"{python} is missing: `make loaders` installs it.")
    out, jobs = export.parent / f"{tool}.npz", export.parent / "jobs.json"
    jobs.write_text(json.dumps([{"tool": tool, "folder": str(export), "out": str(out)}]))
    own = os.environ | {"YOLO_CONFIG_DIR": str(export.parent), "YOLO_OFFLINE": "true"}
    subprocess.run([python, SCRIPT, jobs], check=True, capture_output=True, env=own)
    with np.load(out) as file:
        info = json.loads(str(file["info"]))
        assert isinstance(info, list), info["error"][-3000:]
        return {
            entry["name"]: {label: file[f"{i}/{j}"] for j, label in enumerate(entry["labels"])}
            for i, entry in enumerate(info)
        }


def test_ultralytics_loads_every_pixel(tmp_path: Path) -> None:
    masks, export = wanted(), tmp_path / "export"
    made = list(annotated(masks))
    FORMATS["yolo"].write(made, export, ExportOptions(copy_pictures=True))
    found = loaded("ultralytics", export)
    assert set(found) == {picture.stem for picture in made}
    for picture in made:
        assert set(found[picture.stem]) == ({"damage"} if picture.mask.any() else set())
        for mask in found[picture.stem].values():
            assert np.array_equal(mask, picture.mask), picture.name


def test_anomalib_pairs_every_picture_with_its_mask(tmp_path: Path) -> None:
    masks, export = wanted(), tmp_path / "export"
    options = ExportOptions(copy_pictures=True, ended=True)
    FORMATS["mvtec"].write(annotated(masks), export, options)
    found = loaded("anomalib", export)
    assert len(found) == len(masks)
    for name, layers in found.items():
        with Image.open(export / "test" / f"{name}.png") as image:
            damaged = np.asarray(image)[..., 0] < 128  # as the pictures are drawn
        assert bool(layers) == damaged.any()
        for mask in layers.values():
            assert np.array_equal(mask, damaged), name
