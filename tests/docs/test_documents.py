"""The documents are true: links lead somewhere, commands and their options exist."""

import contextlib
import io
import re
import runpy
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lrpseg.cli.main import make_parser
from lrpseg.version import __version__
from tests.docs.markdown import ROOT, anchors, commands, documents, links, text_of

NOT_OURS = ("pip", "venv", "pytest")


def test_links_lead_somewhere() -> None:
    broken = []
    for path in documents():
        for target in links(text_of(path)):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            goal = (path.parent / file).resolve() if file else path
            if not goal.exists() or (
                anchor and goal.suffix == ".md" and anchor not in anchors(text_of(goal))
            ):
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert not broken


def test_the_checks_themselves_see_links_anchors_and_commands() -> None:
    text = (
        "# A `b` [c](d.md): e!\n\n# A `b` [c](d.md): e!\n\n[f](g.md#h) `[no](no.md)`\n"
        "```sh\n.venv/bin/python -m training.ship X \\\n  --out 'a b'   # as lrpseg\n```\n"
        "so `lrpseg list` lists\n```text\nlrpseg 0.1.0\n```\n"
    )
    assert anchors(text) == {"a-b-c-e", "a-b-c-e-1"}
    assert links(text) == ["d.md", "d.md", "g.md#h"]
    assert list(commands(text)) == [("training.ship", ["X", "--out", "a b"]), ("lrpseg", ["list"])]


def _named() -> dict[str, set[str]]:
    """Options that documents name, by module, or by command of lrpseg."""
    named: dict[str, set[str]] = defaultdict(set)
    for path in documents():
        for module, words in commands(text_of(path)):
            if module.split(".")[0] in NOT_OURS:
                continue
            of = module
            if module == "lrpseg":
                command = next((word for word in words if not word.startswith("-")), "")
                of = f"lrpseg {command}".strip()
            named[of] |= {word.partition("=")[0] for word in words if word.startswith("--")}
    return named


NAMED = _named()


def _help(run: Callable[[], object]) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code in (0, None)
    return said.getvalue()


def test_documents_name_the_commands_that_there_are() -> None:
    """So that the next test is not empty, and no command goes without a word."""
    ours = {name.removeprefix("lrpseg ") for name in NAMED if name.startswith("lrpseg ")}
    offered = next(a for a in make_parser()._actions if a.choices is not None)
    assert ours == set(offered.choices or ())
    assert {"training.ship", "training.loops.train", "training.reports.evaluate"} <= set(NAMED)


@pytest.mark.parametrize("name", sorted(NAMED))
def test_commands_and_their_options_exist(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    module, _, command = name.partition(" ")
    if module == "lrpseg":
        told = _help(lambda: make_parser().parse_args([*filter(None, [command]), "--help"]))
    else:
        monkeypatch.setattr(sys, "argv", [module, "--help"])
        monkeypatch.delitem(sys.modules, module, raising=False)  # it may be imported already
        told = _help(lambda: runpy.run_module(module, run_name="__main__"))
    missing = {option for option in NAMED[name] if not re.search(rf"{option}(?![\w-])", told)}
    assert not missing


def test_how_to_cite() -> None:
    held = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= held.keys()
    assert held["cff-version"] == "1.2.0"
    assert held["version"] == __version__
    assert held["license"] == "Apache-2.0"
    paper = held["preferred-citation"]
    assert {"type", "title", "authors", "year", "doi", "collection-title"} <= paper.keys()
    assert paper["type"] == "conference-paper"
    assert paper["doi"] in (ROOT / "README.md").read_text("utf-8")
    assert [a["family-names"] for a in paper["authors"]] == [
        "Seibold", "Künzel", "Hilsmann", "Eisert",
    ]  # fmt: skip
    assert paper["end"] - paper["start"] == 10


def test_the_changelog_has_this_version() -> None:
    headings = re.findall(r"^## \[(.+)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert __version__ in headings


def test_the_index_lists_all_documents() -> None:
    listed = {(ROOT / "docs" / t).resolve() for t in links(text_of(ROOT / "docs" / "README.md"))}
    there = {p for p in documents() if p.parent != ROOT and ROOT / "docs" in p.parents}
    assert there - listed <= {Path(ROOT / "docs" / "README.md")}
