"""The recipes of CONTRIBUTING.md: the files that they name exist, and three are walked for real."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.js.check_types import find_node

ROOT = Path(__file__).parents[2]
RECIPES = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Recipes")[2]
TOPICS = re.findall(r"^### Add an? (.+)$", RECIPES, re.MULTILINE)

THRESHOLDER = '''
"""Half: what has half of the highest relevance."""

from lrpseg.thresholders.base import Thresholder
from lrpseg.thresholders.fraction import fit

HALF = Thresholder("half", "Half of it", "Marks what has half of the highest value.", fit)
'''
REFINER = '''
"""Everything: whatever was found, the whole picture."""

import numpy as np

from lrpseg.refiners.base import Refiner
from lrpseg.thresholders.base import Fitted


def refine(image, relevance, evidence, fitted):
    return Fitted(np.ones_like(fitted.likelihood), 0.5, fitted.converged, fitted.iterations)


EVERYTHING = Refiner("everything", "All of it", "Marks the whole picture.", refine)
'''
FORMAT = '''
"""Counts: how many pixels each class has, in one file."""

import json

from lrpseg.formats.base import Content, Format
from lrpseg.masks.render import save_text


class Counts(Format):
    name = "counts"
    title = "Pixel counts"
    description = "How many pixels each class has."
    files = "counts.json"

    def _encode(self, picture, layers, options):
        counted = {layer.label: int(layer.mask.sum()) for layer in layers}
        return Content(len(layers), counted)

    def _assemble(self, records, out, options):
        held = {record["name"]: record["data"] for record in records}
        save_text(json.dumps(held), out / "counts.json")
'''

TOOL = """
// @ts-check
// Dot: adds the pixel that is clicked.
import { ADDED } from "../mask.js";

/** @type {import("./index.js").Tool} */
export const dot = {
  id: "dot", key: "q", title: "Dot", hint: "Add a pixel (Q)", icon: "·", cursor: "crosshair",
  help: "add a pixel", kind: "dot",
  tap: (work, [x, y]) =>
    ({ runs: [[Math.floor(y), Math.floor(x), Math.floor(x) + 1]], value: ADDED, label: "dot" }),
};
"""

TOOL_WALK = """
import { bindings, keyTable } from "./lrpseg/ui/static/keys.js";
import { TOOLS } from "./lrpseg/ui/static/tools/index.js";
import { boxOf, picture, sceneOf } from "./tests/js/support.js";

const scene = sceneOf(picture("....", "....")), { box, click } = boxOf(scene, "brush");
bindings(box, {}).get("q")();
click([2.5, 1.5]);
console.log(JSON.stringify({
  mask: Array.from(scene.mask), rows: keyTable(TOOLS), picked: box.tool.title,
}));
"""

WALK = """
import contextlib, io, json, sys
from pathlib import Path

import numpy as np
import lrpseg
from lrpseg.app.analyser import Segmenters
from lrpseg.app.samples import Samples
from lrpseg.cli.main import main
from lrpseg.ui.choices import offered
from lrpseg.ui.launch import make_service
from lrpseg.ui.page import build
from lrpseg.ui.workspace_api import workspace_endpoints

assert Path(lrpseg.__file__).parents[1] == Path.cwd()

def said(*words):
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        try:
            code = main(words)
        except SystemExit as ended:
            code = ended.code
    assert code == 0, words
    return text.getvalue()

result = lrpseg.load("toy", thresholder="half", refiner="everything", device="cpu")("picture.png")
alone = result.using(refiner="none")
segmenters = Segmenters("cpu")
service = make_service(segmenters, False, Path("workspace"))
demo = build(service, Samples([], segmenters))
words = ["annotate", "picture.png", "--out", "out", "--domain", "toy", "--device", "cpu"]
annotated = said(*words, "--thresholder", "half", "--refiner", "everything", "--format", "counts")
print(json.dumps({
    "list": said("list"),
    "help": said("annotate", "--help"),
    "menus": {name: offered(name, "toy") for name in ("thresholder", "refiner")},
    "endpoints": "".join(endpoint.__doc__ for endpoint in workspace_endpoints(service)),
    "page": json.dumps(demo.get_config_file()["components"], default=str),
    "counts": json.loads(Path("out/counts/counts.json").read_text()),
    "pixels": int(result.mask.sum()),
    "size": result.mask.size,
    "alone": int(alone.mask.sum()),
    "as_fraction": bool((alone.mask == result.using("fraction", "none").mask).all()),
}))
"""


def test_there_is_a_recipe_for_each_thing() -> None:
    wanted = {"thresholder", "rule set", "network", "refiner", "format", "domain", "tool", "class"}
    assert wanted <= set(TOPICS)


@pytest.mark.parametrize("topic", TOPICS)
def test_files_of_a_recipe_exist(topic: str) -> None:
    recipe = re.split(r"^### Add an? ", RECIPES, flags=re.MULTILINE)
    (text,) = [part for part in recipe if part.startswith(f"{topic}\n")]
    named = [n for n in re.findall(r"`([\w./-]+/[\w./-]+)`", text) if "NAME" not in n]
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing
    # Where a new file goes, there is a folder.
    new = re.findall(r"`([\w./-]+)/NAME\.\w+`", text)
    assert all((ROOT / folder).is_dir() for folder in new)
    assert named


def _registered(file: Path, importing: str, entry: str) -> None:
    """Add an import and one more entry to the loop of a registry, as the recipes say."""
    text = file.read_text("utf-8")
    loop = re.search(r"^for _\w+ in \((.*?)\):\n", text, re.MULTILINE | re.DOTALL)
    assert loop is not None
    entries = loop[1].strip().rstrip(",")
    changed = text.replace(loop[1], f"{entries}, {entry}")
    first = re.search(r"^from lrpseg\.", changed, re.MULTILINE)
    assert first is not None
    file.write_text(changed[: first.start()] + importing + "\n" + changed[first.start() :], "utf-8")


@pytest.fixture(scope="module")
def walked(toy_assets: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a copy of the package says after the recipes for a thresholder, a refiner and a format
    were followed in it."""
    import numpy as np
    from PIL import Image

    home = tmp_path_factory.mktemp("walk")
    ignored = shutil.ignore_patterns("__pycache__", "assets")
    package = shutil.copytree(ROOT / "lrpseg", home / "lrpseg", ignore=ignored)
    for kind, name, code, thing in (
        ("thresholders", "half", THRESHOLDER, "HALF"),
        ("refiners", "everything", REFINER, "EVERYTHING"),
        ("formats", "counts", FORMAT, "Counts"),
    ):
        (package / kind / f"{name}.py").write_text(code.lstrip(), "utf-8")
        entry = f"{thing}()" if kind == "formats" else thing
        importing = f"from lrpseg.{kind}.{name} import {thing}"
        _registered(package / kind / "__init__.py", importing, entry)
    picture = np.random.default_rng(0).integers(150, 200, (224, 224, 3), dtype=np.uint8)
    picture[40:60, 40:160] = picture[150:170, 40:160] = 30
    Image.fromarray(picture).save(home / "picture.png")
    (home / "walk.py").write_text(WALK, "utf-8")
    settings = {
        "PYTHONPATH": str(home), "LRPSEG_ASSETS": str(toy_assets), "LRPSEG_DOMAINS": "",
        "COLUMNS": "1000", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "walk.py"], cwd=home, env=os.environ | settings, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_thresholder_and_a_refiner_are_offered_everywhere(walked: dict[str, Any]) -> None:
    for flag, name, title, sentence in (
        ("thresholder", "half", "Half of it", "Marks what has half of the highest value."),
        ("refiner", "everything", "All of it", "Marks the whole picture."),
    ):
        assert f"{title}: {sentence}" in walked["list"]
        options = re.search(rf"--{flag} {{([^}}]*)}}", walked["help"])
        assert options is not None
        assert name in options[1].split(",")
        assert [title, name] in walked["menus"][flag]
        assert title in walked["page"]
        assert re.search(rf"\([^)]*\b{name}\b[^)]*\)", walked["endpoints"])


def test_they_make_real_masks(walked: dict[str, Any]) -> None:
    assert walked["pixels"] == walked["size"]
    assert 0 < walked["alone"] < walked["size"]
    assert walked["as_fraction"]


def test_a_format_is_offered_and_written(walked: dict[str, Any]) -> None:
    assert "Pixel counts: How many pixels each class has." in walked["list"]
    assert re.search(r"formats, with commas between: [^(]*\bcounts\b", walked["help"])
    assert "Pixel counts" in walked["page"]
    assert walked["counts"] == {"picture.png": {"damaged": walked["pixels"]}}


def test_a_tool_is_one_file_and_one_entry(tmp_path: Path) -> None:
    """In Node: its key picks it, a click draws, and the table of keys tells it."""
    static = shutil.copytree(ROOT / "lrpseg" / "ui" / "static", tmp_path / "lrpseg/ui/static")
    (tmp_path / "tests" / "js").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "js" / "support.js", tmp_path / "tests" / "js")
    shutil.copy(ROOT / "package.json", tmp_path)  # scripts are modules
    (static / "tools" / "dot.js").write_text(TOOL.lstrip(), "utf-8")
    index = static / "tools" / "index.js"
    text = index.read_text("utf-8")
    entries = re.search(r"export const TOOLS = \[(.+?)\];", text, re.DOTALL)
    assert entries is not None
    text = text.replace(entries[0], f"export const TOOLS = [{entries[1]}, dot];")
    index.write_text(text.replace("import", 'import { dot } from "./dot.js";\nimport', 1), "utf-8")
    (tmp_path / "walk.js").write_text(TOOL_WALK, "utf-8")
    done = subprocess.run(
        [find_node(), "walk.js"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["picked"] == "Dot"
    assert told["mask"] == [0, 0, 0, 0, 0, 0, 1, 0]
    assert ["Q", "add a pixel"] in told["rows"]
