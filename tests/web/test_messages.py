"""What the page says is text, and what fails unforeseen is logged without what was sent."""

import asyncio
import errno
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.exceptions import InvalidPathError

import lrpseg.ui
from lrpseg.core.errors import LrpsegError
from lrpseg.pipeline.settings import MENUS
from lrpseg.ui import handlers, messages
from lrpseg.ui.api import _told
from lrpseg.web.log import one_line, trace
from lrpseg.workspace import Limits, Workspace
from tests.workspace_support import SETTINGS, folder_of, make_zip, picture

MARKUP = "<img src=x onerror=alert(1)>"


def test_sentences_are_shown_letter_by_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(messages.gr, "Warning", said.append)
    monkeypatch.setattr(messages.gr, "Info", said.append)
    handlers._warn([(f"{MARKUP}.png", f"is no picture & {MARKUP}")] * 6, "more")
    messages.info(f"{MARKUP} was added.")
    assert len(said) == 7
    assert not any("<" in sentence for sentence in said)
    assert said[0] == (
        "&lt;img src=x onerror=alert(1)&gt;.png: is no picture &amp; "
        "&lt;img src=x onerror=alert(1)&gt;"
    )


def test_errors_on_the_page_are_text() -> None:
    @handlers.shown
    def fails() -> None:
        raise LrpsegError(f"There is no class {MARKUP}.")

    with pytest.raises(messages.SaidError) as caught:
        fails()
    assert caught.value.message == "There is no class &lt;img src=x onerror=alert(1)&gt;."
    assert not caught.value.print_exception


def test_only_one_place_talks_to_people() -> None:
    """Whoever calls Gradio's messages by himself forgets that they are HTML."""
    for path in Path(lrpseg.ui.__file__).parent.glob("*.py"):
        if path.name != "messages.py":
            assert not re.search(r"gr\.(Info|Warning|Error|Success)\(", path.read_text()), path


class Failing:
    """A page whose calls fail as they are told."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def process_api(self, *_: Any, **__: Any) -> dict[str, Any]:
        raise self.error


def said_by(error: Exception) -> gr.Error:
    page: Any = Failing(error)
    messages.keep_quiet(page)
    with pytest.raises(gr.Error) as caught:
        asyncio.run(page.process_api([]))
    assert not caught.value.print_exception
    return caught.value


def test_what_nobody_foresaw_is_logged_by_its_place(caplog: pytest.LogCaptureFixture) -> None:
    said = said_by(ValueError('Received inputs: ["secret token", "aGVsbG8="]\nERROR forged'))
    assert said.message == messages.SORRY
    assert said.__suppress_context__
    assert "in process_api" in caplog.text
    assert "ValueError" in caplog.text
    assert not re.search("secret|aGV|forged", caplog.text)
    full = OSError(28, "No space left on device", "/home/anna/secret.png")
    assert trace(full) == "OSError: No space left on device"


def test_a_full_disk_is_named(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    for name in (str(tmp_path / "x.zip"), None):
        said = said_by(OSError(errno.ENOSPC, "No space left on device", name))
        assert re.match(r"The disk .* \(.* MB free\) is full", str(said.message))
    assert not caplog.records


def test_errors_of_gradio_itself_are_text_too(caplog: pytest.LogCaptureFixture) -> None:
    said = said_by(gr.Error(f"Value: {MARKUP} is not in the list of choices"))
    assert said.message == "Value: &lt;img src=x onerror=alert(1)&gt; is not in the list of choices"
    ours = messages.SaidError("1 < 2")  # for a program, which shows no HTML
    assert said_by(ours) is ours
    assert not caplog.records


def test_a_path_that_is_no_upload_is_told(caplog: pytest.LogCaptureFixture) -> None:
    said = said_by(InvalidPathError("Cannot move /secret/name to the gradio cache dir"))
    assert "Upload it first" in str(said.message)
    assert "secret" not in str(said.message)
    assert not caplog.records


@pytest.mark.parametrize(
    ("words", "line"),
    [("a\nb\r\x1b[31m", r"a\nb\r\x1b[31m"), ("é ☃", "é ☃"), ("\ud800", r"\ud800"), (7, "7")],
)
def test_words_from_outside_make_no_lines_of_a_log(words: object, line: str) -> None:
    assert one_line(words) == line
    assert len(one_line("x" * 1000)) == 300


def test_hidden_files_of_an_upload_and_gaps_in_a_session_are_told(
    toy_assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setenv("LRPSEG_ASSETS", str(toy_assets))
    for kind in ("Warning", "Info"):
        monkeypatch.setattr(messages.gr, kind, said.append)
    monkeypatch.setattr(handlers, "made_for", lambda token: str(tmp_path))
    monkeypatch.setattr(handlers, "settings", lambda *chosen: SETTINGS)
    workspace = Workspace(tmp_path / "ws")
    service: Any = SimpleNamespace(
        limits=Limits(),
        sessions=SimpleNamespace(get=lambda token: workspace, check_room=lambda workspace: None),
        analyser=SimpleNamespace(wake=lambda workspace: None),
    )
    none: Any = None
    page = handlers.Handlers(service, none)
    packed = make_zip({"a.png": picture(1), "b.png": picture(2), ".git/c.png": b"x", ".d": b"x"})
    (tmp_path / "a.zip").write_bytes(packed)
    page.add("token", [(tmp_path / "a.zip", "a.zip")])
    assert said == ["2 pictures read, 2 left out: 2 (hidden)."]
    (folder_of(workspace, workspace.items()[1]) / "original").unlink()
    page.take_home("token")
    assert said[1].startswith("b.png is not in the session file: b.png cannot be read")
    assert len(said) == 2


@pytest.mark.parametrize("index", [-1, 1, 1e30, float("nan"), "0", True, None, [0, 0]])
def test_a_sample_is_one_of_those_that_there_are(index: object) -> None:
    none: Any = None
    samples: Any = SimpleNamespace(all=["the only one"])
    event: Any = SimpleNamespace(index=index)
    with pytest.raises(messages.SaidError, match="sample"):
        handlers.Handlers(none, samples).add_sample(event, "token")


def test_settings_are_text() -> None:
    with pytest.raises(LrpsegError, match="must be text"):
        handlers.settings(*[["magnetic-tile"]] * len(MENUS))  # type: ignore[list-item]


def endpoint(
    token: str, threshold: float, area: int, sure: bool, level: float | None = None, name: str = ""
) -> list[object]:
    """An endpoint."""
    return [token, threshold, area, sure, level, name]


GOOD: dict[str, Any] = {"token": "t", "threshold": 1, "area": 3.0, "sure": True}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("threshold", v) for v in (float("nan"), float("inf"), 1e30, 10**400, "1", True, [1])),
        *(("area", v) for v in (1.5, float("nan"), -float("inf"), 1e30, "1", False, None)),
        *(("sure", v) for v in (1, 0, "true", None)),
        *(("token", v) for v in (1, None, ["t"], "\ud800")),
        *(("level", v) for v in (float("nan"), "1", True)),
    ],
)
def test_arguments_are_of_the_kind_that_is_asked_for(name: str, value: object) -> None:
    told: Callable[..., Any] = _told(endpoint)
    assert told(**GOOD) == ["t", 1.0, 3, True, None, ""]
    assert told("t", 1, 3, True, None, None) == ["t", 1.0, 3, True, None, ""]
    with pytest.raises(messages.SaidError, match=name):
        told(**GOOD | {name: value})


def test_a_program_of_before_a_setting_need_not_send_it() -> None:

    with gr.Blocks() as demo:
        block = SimpleNamespace(
            inputs=[gr.Textbox("magnetic-tile"), gr.Number(None), gr.Textbox(""), gr.Textbox("")]
        )
    messages.keep_quiet(demo)
    given: list[object] = ["concrete-crack", 0.5]
    demo.validate_inputs(block, given)  # type: ignore[arg-type]
    assert given == ["concrete-crack", 0.5, "", ""]
    with pytest.raises(Exception, match="4 values are expected; 1 came"):
        demo.validate_inputs(block, ["concrete-crack"])  # type: ignore[arg-type]
