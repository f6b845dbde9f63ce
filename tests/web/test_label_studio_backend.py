"""The backend for Label Studio, by the requests that Label Studio sends (recorded shapes)."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

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
    ["[]", "{", '{"tasks": 5}', "null", "[" * 100_000, '{"a":' * 5000 + "1" + "}" * 5000,
     '{"tasks": [], "label_config": "<View \\ud800=\\"\\"/>"}', '{"tasks": [], "label_config": {}}',
     '{"tasks": [], "label_config": {"a": 1}}', '{"tasks": [], "label_config": 5}'],
    ids=range(10),
)  # fmt: skip
def test_requests_that_are_none(backend: TestClient, body: str) -> None:
    answer = backend.post("/predict", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "bad",
    [
        "1", "null", "[]", '{"id": "\\ud800", "data": {"photo": "\\ud800"}}',
        '{"id": "2\\n2026 ERROR forged", "data": {"photo": "a\\n2026 ERROR forged\\u001b[31m"}}',
        '{"id": NaN, "data": {"photo": "http://[x/\\ud800"}}', '{"id": {"a": [1e999]}, "data": {}}',
    ],
)  # fmt: skip
def test_one_bad_task_spoils_no_batch(
    backend: TestClient, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = '{"id": 1, "data": {"photo": "/data/local-files/?d=belt%203/tile.png"}}'
    config = json.dumps(CONFIG)
    body = f'{{"tasks": [{good}, {bad}, {good}], "label_config": {config}}}'
    answer = backend.post("/predict", content=body)
    assert answer.status_code == 200
    first, failed, last = answer.json()["results"]
    assert first == last
    assert first["result"]
    assert failed["error"]
    assert not failed["result"]
    (record,) = caplog.records
    assert record.getMessage().isprintable()  # one line, of whole characters


def test_a_task_that_nobody_foresaw_spoils_no_batch(
    job: Job, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def read(_: Pictures, address: str) -> bytes:
        if "bad" in address:
            raise MemoryError(address)
        return DAMAGED.read_bytes()

    monkeypatch.setattr(Pictures, "read", read)
    backend = TestClient(make_app(job, job.segmenter("cpu"), Pictures()))
    failed, found = ask(backend, "/bad secret", "/good").json()["results"]
    assert "its log says where" in failed["error"]
    assert found["result"]
    assert "MemoryError" in caplog.text
    assert "secret" not in caplog.text


def test_a_configuration_of_half_characters_is_told(backend: TestClient) -> None:
    config = CONFIG.replace('name="brush"', 'name="\ud83d"')
    body = json.dumps({"tasks": [], "label_config": config})
    answer = backend.post("/predict", content=body)
    assert answer.status_code == 400
    assert "no XML" in answer.json()["error"]


@pytest.mark.parametrize("origin", ["http://localhost:9090", "https://example.org", "null"])
def test_pages_in_a_browser_cannot_ask(backend: TestClient, origin: str) -> None:
    answer = backend.post("/predict", json={"tasks": []}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert "not a browser" in answer.json()["error"]


class _LabelStudio(BaseHTTPRequestHandler):
    """Gives one picture to who has the token; another path leads elsewhere."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = self.path.removeprefix("/label-studio")
        right = (path, body) == ("/api/token/refresh/", {"refresh": "a.b.c"})
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
        if self.path.removeprefix("/label-studio") == "/data/upload/1/tile.png":
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


class _BelowPath(_LabelStudio):
    """The same below a path; something else has the rest of the host, and sees no token."""

    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.asked.append(self.path)
        super().do_POST()

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("key", ["secret", "a.b.c"])
def test_a_label_studio_below_a_path(tmp_path: Path, key: str, slash: str) -> None:
    server = HTTPServer(("127.0.0.1", 0), _BelowPath)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    _BelowPath.asked.clear()
    host = f"http://127.0.0.1:{server.server_port}"
    pictures = Pictures(f"{host}/label-studio{slash}", key, tmp_path)
    try:
        for address in (
            "/data/upload/1/tile.png", "/label-studio/data/upload/1/tile.png",
            "data/upload/1/tile.png", f"{host}/label-studio/data/upload/1/tile.png",
        ):  # fmt: skip
            assert pictures.read(address) == DAMAGED.read_bytes()
        for address in (
            f"{host}/data/upload/1/tile.png", f"{host}/label-studio/../data/upload/1/tile.png",
            f"{host}/label-studio/%2e%2E/data/upload/1/tile.png", f"{host}/label-studios/x.png",
            "/../data/upload/1/tile.png", f"{host}/label-studio",
        ):  # fmt: skip
            with pytest.raises(ImageError):
                pictures.read(address)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert _BelowPath.asked
    assert all(path.startswith("/label-studio/") for path in _BelowPath.asked)


def test_local_files_of_a_label_studio_below_a_path(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"picture")
    known = Pictures("https://host/label-studio", root=tmp_path)
    for pictures in (known, Pictures(root=tmp_path)):
        for path in ("/data/local-files/", "/label-studio/data/local-files/", "/data/local-files"):
            assert pictures.read(f"{path}?d=a.png") == b"picture"
    assert known.read("https://host/label-studio/data/local-files/?d=a.png") == b"picture"
    for address in ("https://other/data/local-files/?d=a.png", "//other/data/local-files/?d=a.png"):
        with pytest.raises(ImageError):
            known.read(address)
    with pytest.raises(ImageError, match="There is no file"):
        known.read("/label-studio/data/local-files/?d=../a.png")


def test_configurations(tmp_path: Path) -> None:
    assert read_tags(CONFIG, ["rust"]).labels == {"rust": "rust"}
    assert read_tags(CONFIG, ["unknown"]).labels == {"unknown": "rust"}
    for wrong in ("<View>", "<!DOCTYPE x><View/>", "<View/>", '<!ENTITY a "b">'):
        with pytest.raises(OptionError):
            read_tags(wrong, ["x"])
    with Image.open(DAMAGED) as image:
        assert np.asarray(image).size
