"""A program that talks to a page over HTTP: the endpoints, and the editor's routes."""

import base64
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lrpseg.ui.api import SEGMENT_ORDER
from lrpseg.ui.workspace_api import CHOSEN
from tests.soak.children import PATIENCE, until


class RefusedError(Exception):
    """What was not done, and what the page said; `status` is that of the answer."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Visitor:
    """One program, with a workspace of its own where the page is hosted."""

    def __init__(self, url: str, login: Mapping[str, str] | None = None) -> None:
        """login: username and password, where the page asks for them."""
        self.http = httpx.Client(base_url=url, timeout=PATIENCE)
        if login is not None:
            self.http.post("login", data=login).raise_for_status()
        self.token = str(self.call("open_workspace", ""))

    def call(self, endpoint: str, *data: Any) -> Any:
        """What an endpoint gives; raises `RefusedError`."""
        return self.answer(endpoint, self.begin(endpoint, json.dumps({"data": data})))

    def begin(self, endpoint: str, body: str | bytes) -> str:
        """Put a call into the queue; returns its event."""
        json_ = {"Content-Type": "application/json"}
        begun = self.http.post(f"gradio_api/call/{endpoint}", content=body, headers=json_)
        if begun.status_code != 200:
            raise RefusedError(begun.status_code, begun.text)
        return str(begun.json()["event_id"])

    def answer(self, endpoint: str, event: str) -> Any:
        """What a call gives that was begun."""
        text = self.http.get(f"gradio_api/call/{endpoint}/{event}").text
        name, _, told = text.rpartition("event: ")[2].partition("\ndata: ")
        if name != "complete":
            raise RefusedError(200, told.strip())
        given = json.loads(told)
        return given[0] if len(given) == 1 else given

    def ask(self, method: str, path: str, token: str | None = None, **more: Any) -> httpx.Response:
        """A request to one of the editor's routes."""
        headers = {"X-Lrpseg-Workspace": self.token if token is None else token}
        headers |= more.pop("headers", {})
        return self.http.request(method, f"lrpseg/{path}", headers=headers, **more)

    def uploaded(self, data: bytes) -> dict[str, Any]:
        """A file as an endpoint takes it."""
        (path,) = self.http.post("gradio_api/upload", files={"files": ("a.png", data)}).json()
        return {"path": path, "meta": {"_type": "gradio.FileData"}}

    def segment(self, picture: Path, domain: str, **choices: str) -> tuple[float, bytes, bytes]:
        """(probability, heatmap, mask), the latter as PNGs; of intact pictures, too."""
        given = self.uploaded(picture.read_bytes())
        names = (*SEGMENT_ORDER, *(n for n in CHOSEN if n not in SEGMENT_ORDER))[1:]
        told = {"domain": domain, "threshold": None, "explain_intact": True} | choices
        probability, *files = self.call("segment", given, *(told.get(n, "") for n in names))
        heat, mask = (self.http.get(f"gradio_api/file={f['path']}").content for f in files)
        return probability, heat, mask

    def add(
        self, name: str, data: bytes, domain: str = "magnetic-tile", **choices: str
    ) -> dict[str, Any]:
        """Add a picture; returns what is known of it. choices: what is not the domain's default."""
        found: dict[str, Any] = self.call("add_image", *self.adding(name, data, domain, **choices))
        return found

    def adding(
        self, name: str, data: bytes, domain: str = "magnetic-tile", **choices: str
    ) -> list[str]:
        """What `add_image` takes."""
        given = [choices.get(setting, "") for setting in CHOSEN]
        return [self.token, name, encoded(data), domain, *given]

    def analysed(self, id: str) -> dict[str, Any]:
        """Wait until a picture is analysed."""

        def look() -> dict[str, Any] | None:
            listed = {i["id"]: i for i in self.call("list_images", self.token)}
            return listed[id] if listed[id]["status"] not in ("waiting", "running") else None

        found: dict[str, Any] = until(look, f"{id} is not analysed", pause=0.2)
        return found

    def mask(self, id: str) -> NDArray[np.bool_]:
        return decoded(base64.b64decode(self.call("get_mask", self.token, id, ""))) > 0

    def stroke(self, id: str, y: int, value: int = 1, width: int = 8) -> httpx.Response:
        """Draw `width` pixels at the left of row `y`."""
        place = {"x": 0, "y": y, "w": width, "h": 1}
        body = bytes([value]) * width
        return self.ask("POST", f"items/{id}/corrections", params=place, content=body)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decoded(data: bytes) -> NDArray[np.uint8]:
    """The pixels of a PNG."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)
