"""The backend for Label Studio, by the requests that Label Studio sends (recorded shapes)."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import lrpseg
from lrpseg.cli.main import main
from lrpseg.core.errors import ImageError, OptionError
from lrpseg.folders import Job
from lrpseg.formats.label_studio import brush_rle, labeling_config
from lrpseg.web.label_studio import VERSION, Pictures, make_app, read_tags
from tests.narrow import narrow_tiles
from tests.page_support import DAMAGED, INTACT

CONFIG = """<View>
  <Header value="Which pixels are damaged?"/>
  <Image name="img" value="$photo" zoom="true"/>
  <BrushLabels name="brush" toName="img"><Label value="rust"/><Label value="damaged"/></BrushLabels>
</View>"""


@pytest.fixture(scope="module", autouse=True)
def _narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with narrow_tiles(tmp_path_factory.mktemp("assets")):
        yield


@pytest.fixture(scope="module")
def job() -> Job:
    return Job.make("magnetic-tile", network="one-fc", thresholder="simple")


@pytest.fixture(scope="module")
def backend(job: Job, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    root = tmp_path_factory.mktemp("files")
    (root / "belt 3").mkdir()
    for name in ("tile.png", "a%20b.png"):
        (root / "belt 3" / name).write_bytes(DAMAGED.read_bytes())
    return TestClient(make_app(job, job.segmenter("cpu"), Pictures(root=root)))


def ask(backend: TestClient, *addresses: str, field: str = "photo", config: str = CONFIG) -> Any:
    """What Label Studio sends when a labeler opens tasks."""
    body = {
        "tasks": [
            {"id": n, "data": {field: address}, "meta": {}, "is_labeled": False, "annotations": []}
            for n, address in enumerate(addresses)
        ],
        "project": "1.1700000000",
        "label_config": config,
        "params": {"login": None, "password": None, "context": None},
    }
    return backend.post("/predict", json=body)


def test_a_task_gets_the_mask_of_the_segmenter(backend: TestClient) -> None:
    alone = lrpseg.load("magnetic-tile", network="one-fc", thresholder="simple", device="cpu")
    inline = "data:image/png;base64," + base64.b64encode(INTACT.read_bytes()).decode()
    answer = ask(backend, "/data/local-files/?d=belt%203/tile.png", inline)
    assert answer.status_code == 200
    found, empty = answer.json()["results"]
    result = alone(DAMAGED)
    assert found["score"] == pytest.approx(result.probability)
    assert found["model_version"] == VERSION
    (region,) = found["result"]
    assert (region["from_name"], region["to_name"], region["type"]) == (
        "brush", "img", "brushlabels",
    )  # fmt: skip
    assert region["value"] == {
        "format": "rle", "rle": brush_rle(result.mask), "brushlabels": ["damaged"],
    }  # fmt: skip
    assert (region["original_height"], region["original_width"]) == result.mask.shape
    assert empty["result"] == []
    assert empty["score"] < 0.5


def test_our_own_configuration_is_understood(backend: TestClient) -> None:
    inline = "data:image/png;base64," + base64.b64encode(DAMAGED.read_bytes()).decode()
    answer = ask(backend, inline, field="image", config=labeling_config("scratch"))
    (region,) = answer.json()["results"][0]["result"]
    assert region["value"]["brushlabels"] == ["scratch"]
    assert main(["label-studio", "--config"]) == 0


def test_health_setup_versions_and_webhook(backend: TestClient) -> None:
    assert backend.get("/health").json()["status"] == "UP"
    assert backend.get("/").json()["status"] == "UP"
    setup = {"project": "1.17", "schema": CONFIG, "hostname": "http://x", "access_token": "t",
             "extra_params": None}  # fmt: skip
    assert backend.post("/setup", json=setup).json() == {"model_version": VERSION}
    assert backend.get("/versions").json() == {"versions": [VERSION]}
    assert backend.post("/webhook", json={"action": "ANNOTATION_CREATED"}).status_code == 200
    boxes = CONFIG.replace("BrushLabels", "RectangleLabels")
    refused = backend.post("/setup", json={**setup, "schema": boxes})
    assert refused.status_code == 400
    assert "BrushLabels" in refused.json()["error"]


@pytest.mark.parametrize(
    "address",
    [
        "/data/local-files/?d=../../etc/passwd", "/data/local-files/?d=/etc/passwd",
        "/data/local-files/?d=", "/data/local-files/?d=belt%203", "/data/local-files/?d=%00",
        f"/data/local-files/?d={'x' * 300}", "http://127.0.0.1:1/x.png",
        "file:///etc/passwd", "s3://bucket/x.png", "data:image/png;base64,%%%", "", "x" * 5000,
    ],
)  # fmt: skip
def test_addresses_that_are_not_followed(backend: TestClient, address: str) -> None:
    answer = ask(backend, address)
    assert answer.status_code == 200  # one task that cannot be had stops no batch
    (found,) = answer.json()["results"]
    assert found["result"] == []
    assert found["error"]
    assert "root:" not in json.dumps(found)


def test_a_local_file_is_found_by_the_very_name_that_it_has(backend: TestClient) -> None:
    answer = ask(backend, "/data/local-files/?d=belt%203/a%2520b.png")
    assert "error" not in answer.json()["results"][0]


@pytest.mark.parametrize("data", [None, [], "x", {}, {"photo": None}, {"photo": ["a.png"]}])
def test_a_task_without_a_picture_says_so(backend: TestClient, data: Any) -> None:
    body = {"tasks": [{"id": 1, "data": data}], "label_config": CONFIG}
    answer = backend.post("/predict", json=body)
    assert answer.status_code == 200
    assert "no address of a picture in its field 'photo'" in answer.json()["results"][0]["error"]


@pytest.mark.parametrize(
    "body",
    ["[]", "{", '{"tasks": 5}', '{"tasks": [1]}', "null", '{"tasks": [], "label_config": {}}',
     '{"tasks": [], "label_config": {"a": 1}}', '{"tasks": [], "label_config": 5}'],
)  # fmt: skip
def test_requests_that_are_none(backend: TestClient, body: str) -> None:
    answer = backend.post("/predict", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


class _LabelStudio(BaseHTTPRequestHandler):
    """Gives one picture to who has the token; another path leads elsewhere."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        right = (self.path, body) == ("/api/token/refresh/", {"refresh": "a.b.c"})
        self.send_response(200 if right else 401)
        self.end_headers()
        self.wfile.write(b'{"access": "short-lived"}' if right else b'{"detail": "no"}')

    def do_GET(self) -> None:
        if self.headers.get("Authorization") not in ("Token secret", "Bearer short-lived"):
            self.send_response(401)
        elif self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/")
        else:
            self.send_response(200)
        self.end_headers()
        if self.path == "/data/upload/1/tile.png":
            self.wfile.write(DAMAGED.read_bytes())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def label_studio() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _LabelStudio)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def test_uploaded_pictures_are_fetched_with_the_token(label_studio: str) -> None:
    pictures = Pictures(label_studio, "secret")
    assert pictures.read("/data/upload/1/tile.png") == DAMAGED.read_bytes()
    assert pictures.read(f"{label_studio}/data/upload/1/tile.png") == DAMAGED.read_bytes()
    personal = Pictures(label_studio, "a.b.c")  # a personal access token is exchanged first
    assert personal.read("/data/upload/1/tile.png") == DAMAGED.read_bytes()
    tile = "/data/upload/1/tile.png"
    for key, address in ((None, tile), ("secret", "/away"), ("x.y.z", tile), ("wrong", tile)):
        with pytest.raises(ImageError, match="did not give"):
            Pictures(label_studio, key).read(address)
    localhost = label_studio.replace("127.0.0.1", "localhost")
    for address in ("http://example.org/x.png", "//example.org/x.png", localhost):
        with pytest.raises(ImageError, match="other hosts"):
            pictures.read(address)


def test_a_path_does_not_go_on_with_the_host(label_studio: str) -> None:
    shorter, digit = Pictures(label_studio[:-1], "secret"), label_studio[-1]
    for address in (f"{digit}/data/upload/1/tile.png", ".example.org/x.png", "http://[x/a.png"):
        with pytest.raises(ImageError):
            shorter.read(address)
    relative = Pictures(label_studio, "secret")
    assert relative.read("data/upload/1/tile.png") == DAMAGED.read_bytes()
    with pytest.raises(ImageError, match="did not give"):
        relative.read("/data/upload/1/a tile.png")  # http.client has errors of its own


def test_configurations(tmp_path: Path) -> None:
    assert read_tags(CONFIG, ["rust"]).labels == {"rust": "rust"}
    assert read_tags(CONFIG, ["unknown"]).labels == {"unknown": "rust"}
    for wrong in ("<View>", "<!DOCTYPE x><View/>", "<View/>", '<!ENTITY a "b">'):
        with pytest.raises(OptionError):
            read_tags(wrong, ["x"])
    with Image.open(DAMAGED) as image:
        assert np.asarray(image).size
