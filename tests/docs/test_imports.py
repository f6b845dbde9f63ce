"""Imports run one way, in the order in which CONTRIBUTING.md tells the folders."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "lrpseg"
ANYWHERE = {"lrpseg.version"}


def told_order() -> list[list[str]]:
    """Folders of `lrpseg`, a list for each row of the table: from the top on."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| (`lrpseg/.+?) \|", text, re.MULTILINE)
    return [re.findall(r"`lrpseg/(\w+)`", row) for row in rows]


ORDER = {name: place for place, row in enumerate(told_order()) for name in row}


def imports(source: str) -> Iterator[str]:
    """Names of modules that a module imports, at once or later; not what only types need."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(ast.parse(source)):
        if node in skipped:
            skipped.update(ast.iter_child_nodes(node))
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            skipped.update(node.body)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module == "lrpseg":
                yield from (f"lrpseg.{alias.name}" for alias in node.names)
            else:
                yield str(node.module)


def modules(folder: str) -> list[Path]:
    return sorted((PACKAGE / folder).rglob("*.py"))


def test_every_folder_is_told() -> None:
    folders = {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    assert set(ORDER) == folders
    assert sorted(p.name for p in PACKAGE.glob("*.py")) == ["__init__.py", "version.py"]


@pytest.mark.parametrize("folder", sorted(ORDER, key=ORDER.__getitem__))
def test_a_folder_imports_only_from_those_before_it(folder: str) -> None:
    wrong = []
    for path in modules(folder):
        for name in imports(path.read_text("utf-8")):
            parts = name.split(".")
            if parts[0] != "lrpseg" or parts[1:2] == [folder] or name in ANYWHERE:
                continue
            # Of the former names of modules, and of the package itself, none is in the order.
            if len(parts) == 1 or ORDER.get(parts[1], len(ORDER)) >= ORDER[folder]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_nothing_imports_training_and_only_the_page_imports_gradio() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in PACKAGE.rglob("*.py")
        for name in imports(path.read_text("utf-8"))
        if name.split(".")[0] == "training"
        or (name.split(".")[0] == "gradio" and PACKAGE / "ui" not in path.parents)
    ]
    assert not wrong


def test_the_package_itself_needs_no_page() -> None:
    """`import lrpseg` stays light: of its own, what comes before the formats."""
    wrong = [
        name
        for name in imports((PACKAGE / "__init__.py").read_text("utf-8"))
        if name.startswith("lrpseg.")
        and name not in ANYWHERE
        and ORDER[name.split(".")[1]] > ORDER["pipeline"]
    ]
    assert not wrong


def test_the_check_sees_what_is_imported() -> None:
    source = (
        "import a.b\nfrom lrpseg import core\nif TYPE_CHECKING:\n    import no\n"
        "    if x:\n        import never\nelse:\n    import e\n"
        "def f():\n    from lrpseg.ui.page import build\n"
    )
    assert set(imports(source)) == {"a.b", "lrpseg.core", "e", "lrpseg.ui.page"}
