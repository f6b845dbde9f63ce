"""What we write is read by the tools that it is for, to the pixel."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lrpseg.formats import FORMATS, ExportOptions
from tests.formats.pictures import MASKS, annotated, save_pictures

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


def python() -> Path:
    """The Python that has the tools: $LRPSEG_FOREIGN, or the one that `make foreign` made."""
    path = Path(os.environ.get("LRPSEG_FOREIGN", ROOT / ".venv-foreign" / "bin" / "python"))
    if not path.exists():
        pytest.skip(f"{path} is missing: the foreign tools are installed by `make foreign`.")
    return path


@pytest.mark.parametrize("per_component", [False, True])
@pytest.mark.parametrize(("name", "tool"), READERS)
def test_the_tools_own_reader_gives_back_every_pixel(
    name: str, tool: str, per_component: bool, tmp_path: Path
) -> None:
    options = ExportOptions(per_component=per_component, copy_pictures=True)
    FORMATS[name].write(annotated(), tmp_path / "export", options)
    save_pictures(tmp_path / "export" / "images")  # CVAT's own exports have them there
    command = [str(python()), str(SCRIPT), tool, str(tmp_path / "export"), str(tmp_path / "m.npz")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(tmp_path / "m.npz") as file:
        info = json.loads(str(file["info"]))
        read = {n: file[f"m{i}"] for i, n in enumerate(info["names"])}
    by_stem = {n.rsplit(".", 1)[0]: mask for n, mask in MASKS.items()}
    compared = 0
    for key, wanted in (MASKS if set(read) & set(MASKS) else by_stem).items():
        if key not in read:
            assert tool in SKIPS_EMPTY and not wanted.any(), key  # noqa: PT018
            continue
        assert np.array_equal(read[key], wanted), key
        compared += 1
    assert compared >= 10
