"""What we write is read by the tools that it is for, to the pixel, each class by its name."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lrpseg.formats import FORMATS, ExportOptions
from tests.formats.pictures import CLASSES, LAYERS, MASKS, annotated, layered, save_pictures
from tests.formats.slow import flattened

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "tests" / "foreign" / "read_export.py"

READERS = [
    ("coco", "pycocotools"),
    ("yolo", "supervision"),
    ("labelme", "labelme"),
    ("labelme-polygon", "labelme"),
    ("x-anylabeling", "x-anylabeling"),
    ("label-studio", "label-studio-sdk"),
    ("datumaro", "datumaro"),
    ("cvat-images", "datumaro-cvat"),
    ("cvat-images", "cvat-sdk"),
    ("cvat-segmentation", "datumaro-voc"),
]
SKIPS_EMPTY = {"label-studio-sdk", "datumaro-voc"}
"""Where nothing says how large a picture without annotations is."""

ONE_CLASS_A_PIXEL = {"cvat-segmentation"}


def python() -> Path:
    """The Python that has the tools: $LRPSEG_FOREIGN, or the one that `make foreign` made."""
    path = Path(os.environ.get("LRPSEG_FOREIGN", ROOT / ".venv-foreign" / "bin" / "python"))
    if not path.exists():
        pytest.skip(f"{path} is missing: the foreign tools are installed by `make foreign`.")
    return path


def _case(name: str, tool: str, per_component: bool, classes: int) -> str:
    return f"{name}-{tool}-{per_component}-{classes}"


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what each tool reads; one process does them all."""
    folder, interpreter = tmp_path_factory.mktemp("foreign"), python()
    jobs = []
    for per_component in (False, True):
        for classes, pictures in ((1, annotated), (3, layered)):
            options = ExportOptions(
                per_component=per_component,
                copy_pictures=True,
                classes=CLASSES if classes > 1 else (),
            )
            for name in dict.fromkeys(name for name, _ in READERS):
                export = folder / f"{name}-{per_component}-{classes}"
                FORMATS[name].write(pictures(), export, options)
                save_pictures(export / "images")  # CVAT's own exports have them there
                jobs += [
                    {
                        "tool": tool,
                        "folder": str(export),
                        "out": str(folder / f"{_case(name, tool, per_component, classes)}.npz"),
                    }
                    for written, tool in READERS
                    if written == name
                ]
    (folder / "jobs.json").write_text(json.dumps(jobs))
    command = [str(interpreter), str(SCRIPT), str(folder / "jobs.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def _wanted(name: str, classes: int) -> dict[str, dict[str, np.ndarray]]:
    """Picture to label to mask."""
    if classes == 1:
        return {picture: {"damage": mask} for picture, mask in MASKS.items()}
    if name in ONE_CLASS_A_PIXEL:
        order = [entry.name for entry in CLASSES]
        return {picture: flattened(layers, order) for picture, layers in LAYERS.items()}
    return LAYERS


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("per_component", [False, True])
@pytest.mark.parametrize(("name", "tool"), READERS)
def test_the_tools_own_reader_gives_back_every_pixel(
    name: str, tool: str, per_component: bool, classes: int, read: Path
) -> None:
    with np.load(read / f"{_case(name, tool, per_component, classes)}.npz") as file:
        info = json.loads(str(file["info"]))
        assert isinstance(info, list), info["error"][-3000:]
        found = {
            entry["name"]: (
                tuple(entry["shape"]),
                {label: file[f"{i}/{j}"] for j, label in enumerate(entry["labels"])},
            )
            for i, entry in enumerate(info)
        }
    wanted = _wanted(name, classes)
    if not set(found) & set(wanted):
        wanted = {picture.rsplit(".", 1)[0]: layers for picture, layers in wanted.items()}
    compared = 0
    for picture, layers in wanted.items():
        drawn = {label for label, mask in layers.items() if mask.any()}
        if picture not in found:
            assert tool in SKIPS_EMPTY and not drawn, picture  # noqa: PT018
            continue
        shape, masks = found[picture]
        assert shape == next(iter(layers.values())).shape
        assert set(masks) == drawn, picture
        for label in drawn:
            assert np.array_equal(masks[label], layers[label]), (picture, label)
        compared += 1
    assert compared >= 10
