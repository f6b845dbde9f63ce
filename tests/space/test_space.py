"""The folder of a Hugging Face Space: complete, nothing besides, and its lock file holds."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from space.build import CPU_INDEX, ROOT, build

LOCK = ROOT / "space" / "requirements.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("space") / "space"
    build(made)
    return made


def lines(path: Path) -> list[str]:
    found = path.read_text("utf-8").splitlines()
    return [line for line in found if line and not line.startswith("#")]


def pinned() -> dict[str, str]:
    """Versions in the lock file, which has nothing but name==version."""
    return dict(line.split("==") for line in lines(LOCK))


def test_the_folder_has_what_the_page_needs_and_nothing_else(folder: Path) -> None:
    named = {path.name for path in folder.iterdir()}
    assert named == {"README.md", "requirements.txt", "LICENSE", "app.py", "assets", "lrpseg"}
    for name in ("assets", "lrpseg"):
        wanted = {
            path.relative_to(ROOT)
            for path in (ROOT / name).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        there = {path.relative_to(folder) for path in (folder / name).rglob("*") if path.is_file()}
        assert there == wanted
    with pytest.raises(FileExistsError):
        build(folder)  # what is there is not mixed with it


def test_the_index_of_wheels_is_named_unless_nobody_wants_it(folder: Path, tmp_path: Path) -> None:
    text = (folder / "requirements.txt").read_text("utf-8")
    assert text == f"--extra-index-url {CPU_INDEX}\n{LOCK.read_text('utf-8')}"
    build(tmp_path / "plain", index="")
    assert (tmp_path / "plain" / "requirements.txt").read_bytes() == LOCK.read_bytes()


def test_the_front_matter_is_one_that_the_hub_takes(folder: Path) -> None:
    _, head, body = (folder / "README.md").read_text("utf-8").split("---\n", 2)
    told = yaml.safe_load(head)
    assert {"title", "emoji", "license"} <= told.keys()
    assert told["sdk"] == "gradio"
    assert told["sdk_version"] == pinned()["gradio"]
    assert f"gradio[mcp,oauth]=={told['sdk_version']}" in lines(ROOT / "space" / "hub.txt")
    assert isinstance(told["python_version"], str)  # 3.10 as a number would be 3.1
    assert told["python_version"] in SpecifierSet(PROJECT["requires-python"])
    assert (folder / told["app_file"]).is_file()
    assert len(told["short_description"]) <= 60
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {told["colorFrom"], told["colorTo"]} <= colours
    assert not re.search(r"\]\((?!https://)", body)  # nothing that it could link to is there


def test_the_lock_pins_what_the_project_and_the_hub_ask_for() -> None:
    locked = pinned()
    for line in [*PROJECT["dependencies"], *lines(ROOT / "space" / "hub.txt")]:
        wanted = Requirement(line)
        assert locked[canonicalize_name(wanted.name)] in wanted.specifier, line


def test_the_lock_leaves_cuda_to_pytorch() -> None:
    """Its build for the CPU needs none of it, and that for a GPU pins all of it."""
    assert not [name for name in pinned() if name.startswith(("nvidia-", "cuda-", "triton"))]


@pytest.mark.slow
def test_the_page_is_imported_from_the_folder(folder: Path) -> None:
    code = (
        "import lrpseg.ui.launch, lrpseg.domains.samples as s\n"
        "print(lrpseg.__file__, all(p.is_file() for p, _ in s.shipped_samples()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(folder / "lrpseg" / "__init__.py"), "True"]
