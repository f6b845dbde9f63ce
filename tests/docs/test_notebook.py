"""The notebook runs from its first cell to its last, and is stored small and as it ran."""

import base64
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "from-picture-to-export.ipynb"
HELD = json.loads(NOTEBOOK.read_text("utf-8"))
CODE = [cell for cell in HELD["cells"] if cell["cell_type"] == "code"]


def test_its_cells_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pycocotools")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names: dict[str, Any] = {}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        for number, cell in enumerate(CODE):
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
    assert names["after"].iou > names["before"].iou
    assert names["after"].recall > names["before"].recall
    assert np.array_equal(names["back"], names["mask"])
    assert not np.array_equal(names["mask"], names["result"].mask)
    assert names["workspace"].item(names["item"].id).status == "accepted"
    assert {name: held.images for name, held in names["written"].items()} == {"coco": 1, "yolo": 1}
    assert "equal to the corrected mask: True" in said.getvalue()
    assert list(tmp_path.glob("tmp*/export/coco/annotations.json"))  # it leaves nothing elsewhere


def test_it_is_stored_as_it_ran_and_small() -> None:
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    outputs = [output for cell in CODE for output in cell["outputs"]]
    assert all(output["output_type"] != "error" for output in outputs)
    pictures = [base64.b64decode(o["data"]["image/jpeg"]) for o in outputs if "data" in o]
    assert len(pictures) >= 3
    assert all(len(picture) < 70_000 for picture in pictures)
    assert NOTEBOOK.stat().st_size < 300_000


def test_it_uses_public_names_alone() -> None:
    """No name with an underscore of another module, and nothing outside of lrpseg's own."""
    text = "\n".join("".join(cell["source"]) for cell in CODE)
    assert "._" not in text.replace("self._", "")
    assert "training" not in text
