"""What one visitor cannot take from the others: places in the queue, and the disk by uploads."""

import os
from pathlib import Path

import gradio as gr
import pytest
from gradio.routes import App
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.testclient import TestClient

from lrpseg.ui.places import share_places
from lrpseg.ui.uploads import own_folder, remove_unopened
from lrpseg.web.guard import Guard
from lrpseg.web.sites import Sites
from lrpseg.web.uploading import Uploaded

ONE, OTHER = ("203.0.113.1", 1000), ("203.0.113.2", 1000)


def test_one_visitor_does_not_take_all_places_of_the_queue() -> None:
    def same(text: str) -> str:
        return text

    with gr.Blocks() as demo:
        gr.api(same)
    demo.queue(max_size=10)
    share_places(demo, each=3)
    app = App.create_app(demo)

    def ask(address: tuple[str, int], session: str) -> Response:
        asked = {"data": ["x"], "fn_index": 0, "session_hash": session}
        # Not entered: nothing runs, so that all of them wait.
        return TestClient(app, client=address).post("/gradio_api/queue/join", json=asked)

    assert [ask(ONE, f"s{n}").status_code for n in range(3)] == [200] * 3
    refused = ask(ONE, "another session")
    assert refused.status_code == 503
    assert "3 of your requests wait" in refused.text
    assert ask(OTHER, "s").status_code == 200


def guarded(uploaded: Uploaded, address: tuple[str, int]) -> TestClient:
    """A page that takes uploads, as `address` reaches it."""

    async def upload(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    page = Router([Route("/gradio_api/upload", upload, methods=["POST"])])
    guard = Guard(page, Sites(), lambda c: True, "", 10, uploaded)
    return TestClient(guard, client=address)


def test_uploads_are_counted_by_address_for_a_while() -> None:
    now = [0.0]
    uploaded = Uploaded(100, 60, lambda: now[0])
    one, other = guarded(uploaded, ONE), guarded(uploaded, OTHER)
    assert one.post("/gradio_api/upload", content=b"x" * 60).text == "60"
    refused = one.post("/gradio_api/upload", content=b"x" * 60)
    assert refused.status_code == 429
    assert "Try again in an hour" in refused.json()["error"]
    assert other.post("/gradio_api/upload", content=b"x" * 60).text == "60"
    now[0] = 61
    assert one.post("/gradio_api/upload", content=b"x" * 60).text == "60"


def test_uploads_that_do_not_tell_their_length_are_counted_too() -> None:
    uploaded = Uploaded(100, 60)
    with pytest.raises(Exception, match="429"):
        guarded(uploaded, ONE).post("/gradio_api/upload", content=iter([b"x" * 60] * 2))
    assert guarded(uploaded, ONE).post("/gradio_api/upload", content=b"x").status_code == 429


def test_what_was_uploaded_long_ago_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    own_folder()  # one that was chosen stays chosen
    old, new, shown, half = (tmp_path / n for n in ("a" * 64, "b" * 64, "c" * 64, "tmp123"))
    made = tmp_path / "lrpseg"
    for folder in (old, new, shown, made):
        folder.mkdir()
        (folder / "x.png").write_bytes(b"x")
    half.write_bytes(b"x")
    for path in (old, shown, half, made):
        os.utime(path, (0, 0))
    with gr.Blocks() as demo:
        gr.File().keep_in_cache.add(str(shown / "x.png"))
    remove_unopened(demo, 3600)
    assert set(tmp_path.iterdir()) == {new, shown, made}
