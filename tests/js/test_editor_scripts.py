"""The editor's JavaScript: its unit tests in Node, and the linter."""

import subprocess
import sys
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable

from lrpseg.ui.editor import SCRIPTS, STATIC, editor_script

ROOT = Path(__file__).parents[2]


def test_scripts_pass_their_unit_tests() -> None:
    node = compute_driver_executable()[0]  # Playwright brings a Node of its own
    tests = [str(p) for p in sorted((ROOT / "tests" / "js").glob("*.test.js"))]
    assert len(tests) >= 4
    done = subprocess.run([node, "--test", *tests], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-5000:]
    assert "pass 0" not in done.stdout


def test_scripts_are_lint_free() -> None:
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "oxlint"),
            "--deny-warnings",
            "lrpseg/ui/static",
            "tests/js",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_every_script_is_loaded() -> None:
    assert sorted(SCRIPTS) == sorted(p.name for p in STATIC.glob("*.js"))
    assert editor_script().rstrip().endswith("watch });")


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_stay_small(name: str) -> None:
    assert len((STATIC / name).read_text("utf-8").splitlines()) < 500
