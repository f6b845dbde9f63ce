"""The endpoints for programs: over HTTP, by `gradio_client`, from many clients at once."""

import base64
import io
import secrets
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

import lrpseg
from lrpseg.app import commands
from lrpseg.pipeline.results import Result
from lrpseg.ui.launch import Page as RunningPage
from tests import page_support as do
from tests.core.test_depth import png
from tests.narrow import narrow_tiles
from tests.page_support import DAMAGED, INTACT

ENDPOINTS = {
    "/segment", "/open_workspace", "/add_image", "/list_images", "/get_mask", "/set_mask",
    "/set_threshold", "/set_cleaning", "/set_settings", "/set_status", "/explain_anyway",
    "/set_truth", "/import_mask_file", "/export", "/save_session", "/load_session", "/delete_image",
}  # fmt: skip


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    """A page that runs narrow networks, with one domain and without samples to prepare."""
    with (
        narrow_tiles(tmp_path_factory.mktemp("assets")),
        do.running(tmp_path_factory.mktemp("visitors"), hosted=True) as page,
    ):
        yield page


def connect(page: RunningPage) -> Client:
    return Client(page.url, verbose=False)


@pytest.fixture(scope="module")
def client(hosted: RunningPage) -> Client:
    return connect(hosted)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decoded(mask: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(mask))) as image:
        return np.asarray(image) > 0


def analysed(client: Client, token: str) -> list[dict]:
    """The workspace's pictures, when none is waiting any more."""
    for _ in range(1800):
        items = client.predict(token, api_name="/list_images")
        if not any(item["status"] in ("waiting", "running") for item in items):
            return items
        time.sleep(0.1)
    raise AssertionError(items)


def segment(client: Client, path: Path, *settings: object) -> tuple[float, np.ndarray, np.ndarray]:
    p, heat, mask = client.predict(handle_file(path), *settings, api_name="/segment")
    return p, np.asarray(Image.open(heat)), np.asarray(Image.open(mask))


def test_every_endpoint_says_what_it_does(client: Client) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == ENDPOINTS
    for name, endpoint in named.items():
        assert len(endpoint.get("description", "")) > 20, name
        for parameter in endpoint["parameters"]:
            assert parameter["python_type"]["type"], (name, parameter)


def test_segment_equals_the_core(client: Client) -> None:
    alone = lrpseg.load("magnetic-tile", device="cpu")(DAMAGED)
    p, heat, mask = segment(client, DAMAGED)
    assert p == pytest.approx(alone.probability, abs=1e-6)
    assert heat.shape == (*alone.mask.shape, 3)
    assert set(np.unique(mask)) == {0, 255}
    assert np.array_equal(mask.reshape(*alone.mask.shape, -1)[..., 0] > 0, alone.mask)
    other = lrpseg.load("magnetic-tile", thresholder="bmm", device="cpu")(DAMAGED).at(0.9)
    _, _, mask = segment(client, DAMAGED, "magnetic-tile", "", "", "bmm", 0.9)
    assert np.array_equal(mask.reshape(*other.shape, -1)[..., 0] > 0, other)
    p, _, mask = segment(client, INTACT)
    assert p < 0.5
    assert not mask.any()


def test_eight_clients_at_once_get_what_one_gets(hosted: RunningPage, tmp_path: Path) -> None:
    tile = tmp_path / "tile.png"
    with Image.open(DAMAGED) as image:  # one tile is enough
        image.crop((image.width - 224, image.height - 224, image.width, image.height)).save(tile)
    settings = list(product(("one-fc", "128n"), ("ours", "montavon"), ("simple", "bmm")))
    assert len(settings) == 8

    def expected(network: str, rule_set: str) -> Result:
        # With a refiner of its own, as each thresholder has one that is best beside it.
        load = lrpseg.load("magnetic-tile", network=network, rule_set=rule_set, device="cpu")
        return load(tile)

    found = {pair: expected(*pair) for pair in product(("one-fc", "128n"), ("ours", "montavon"))}
    alone = {}
    for network, rule_set, thresholder in settings:
        best = commands.settings_of(
            "magnetic-tile", network=network, rule_set=rule_set, thresholder=thresholder
        )
        alone[network, rule_set, thresholder] = found[network, rule_set].using(
            thresholder, best.refiner
        )
    assert all(result.mask.any() for result in alone.values())
    clients = [connect(hosted) for _ in settings]

    def work(index: int) -> None:
        for turn in range(2):  # each client with two settings, in an order of its own
            choice = settings[(index + turn * 3) % len(settings)]
            p, _, mask = segment(clients[index], tile, "magnetic-tile", *choice)
            assert p == pytest.approx(alone[choice].probability, abs=1e-6)
            shape = alone[choice].mask.shape
            assert np.array_equal(mask.reshape(*shape, -1)[..., 0] > 0, alone[choice].mask), choice

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "Choose one of"),
        (("magnetic-tile", "resnet"), "one-fc"),
        (("magnetic-tile", "", "lime"), "montavon"),
        (("magnetic-tile", "", "", "", 2.0), "0 to 1"),
        (("../../etc",), "domain's name"),
        (("/etc",), "domain's name"),
    ],
)
def test_errors_say_what_to_do(client: Client, given: tuple, message: str) -> None:
    given = given or ("no-such-domain",)
    with pytest.raises(AppError, match=message) as caught:
        segment(client, DAMAGED, *given)
    assert "Traceback" not in str(caught.value)


def test_what_is_no_picture_is_refused(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "tile.png"
    path.write_bytes(b"not a picture")
    with pytest.raises(AppError, match="not an image"):
        segment(client, path)
    token = client.predict("", api_name="/open_workspace")
    with pytest.raises(AppError, match="base64"):
        client.predict(token, "a.png", "%%%", api_name="/add_image")


def test_it_is_told_how_a_picture_was_read(client: Client) -> None:
    token = client.predict("", api_name="/open_workspace")
    camera = encoded(png(np.full((300, 300), 3900, np.uint16)))
    given = client.predict(token, "camera.png", camera, "magnetic-tile", api_name="/add_image")
    assert given["read"] == ["read as 12 bits (by its values, of which the highest is 3900)"]
    (listed,) = analysed(client, token)
    assert listed["read"] == given["read"]


def test_a_workspace_from_first_to_last(client: Client) -> None:
    token = client.predict("", api_name="/open_workspace")
    added = client.predict(
        token, "../../belt/tile.png", encoded(DAMAGED.read_bytes()), api_name="/add_image"
    )
    assert added["name"] == "belt/tile.png"
    (item,) = analysed(client, token)
    id = item["id"]
    alone = lrpseg.load("magnetic-tile", device="cpu")(DAMAGED)
    assert np.array_equal(decoded(client.predict(token, id, api_name="/get_mask")), alone.mask)
    client.predict(token, id, 0.8, api_name="/set_threshold")
    assert np.array_equal(decoded(client.predict(token, id, api_name="/get_mask")), alone.at(0.8))
    wanted = np.zeros_like(alone.mask)
    wanted[10:50, 20:90] = True
    file = io.BytesIO()
    Image.fromarray(wanted).save(file, "PNG")
    told = client.predict(token, id, encoded(file.getvalue()), api_name="/set_mask")
    assert told["status"] == "edited"
    assert np.array_equal(decoded(client.predict(token, id, api_name="/get_mask")), wanted)
    alike = client.predict(token, id, encoded(file.getvalue()), api_name="/set_truth")
    assert alike == {"precision": 1.0, "recall": 1.0, "iou": 1.0}
    packed = client.predict(token, "png, coco", api_name="/export")
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(packed))) as archive:
        assert {"masks/belt/tile.png", "png/belt/tile.png", "coco/annotations.json"} <= set(
            archive.namelist()
        )
        coco = archive.read("coco/annotations.json")
    session = client.predict(token, api_name="/save_session")
    again = client.predict("", api_name="/open_workspace")
    assert client.predict(again, session, api_name="/load_session") == 1
    (copy,) = analysed(client, again)
    assert np.array_equal(decoded(client.predict(again, copy["id"], api_name="/get_mask")), wanted)
    client.predict(again, copy["id"], encoded(DAMAGED.read_bytes()), api_name="/set_mask")
    masks = (again, "a.json", encoded(coco), "coco")
    kept = client.predict(*masks, api_name="/import_mask_file")
    assert kept["names"] == []
    assert "replace" in kept["refused"][0][1]
    brought = client.predict(*masks, "corrections", "", True, api_name="/import_mask_file")
    assert brought == {"names": ["belt/tile.png"], "refused": []}
    assert np.array_equal(decoded(client.predict(again, copy["id"], api_name="/get_mask")), wanted)
    wrong = io.BytesIO()
    Image.fromarray(wanted[:-1]).save(wrong, "PNG")
    with pytest.raises(AppError, match="Export it at the picture's size"):
        client.predict(token, id, encoded(wrong.getvalue()), api_name="/set_mask")
    client.predict(token, id, "magnetic-tile", "one-fc", "ours", "simple", api_name="/set_settings")
    analysed(client, token)
    accepted = client.predict(token, id, "accepted", api_name="/set_status")
    assert accepted["status"] == "accepted"
    with pytest.raises(AppError, match="accepted, or to do"):
        client.predict(token, id, "done", api_name="/set_status")
    assert client.predict(token, id, api_name="/delete_image") is True
    assert client.predict(token, api_name="/list_images") == []


def raw(page: RunningPage, endpoint: str, data: str) -> str:
    """The events of a call whose arguments are written in JSON by hand."""
    url = f"{page.url}gradio_api/call/{endpoint}"
    sent = {"content": f'{{"data": {data}}}', "headers": {"Content-Type": "application/json"}}
    started = httpx.post(url, timeout=180, **sent)  # type: ignore[arg-type]
    if started.status_code != 200:
        return started.text
    return httpx.get(f"{url}/{started.json()['event_id']}", timeout=180).text


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e30", '"0.5"', "true", "[]"])
def test_numbers_are_numbers(
    hosted: RunningPage, two: tuple[str, str, str], value: str, capfd: pytest.CaptureFixture[str]
) -> None:
    mine, id, _ = two
    before = hosted.service.sessions.get(mine).item(id)
    for endpoint, data in (
        ("set_threshold", f'["{mine}", "{id}", {value}, ""]'),
        ("set_cleaning", f'["{mine}", "{id}", {value}, 0, ""]'),
        ("set_cleaning", f'["{mine}", "{id}", 0, {value}, ""]'),
    ):
        told = raw(hosted, endpoint, data)
        assert "event: error" in told
        assert "must be a" in told, told
    assert hosted.service.sessions.get(mine).item(id) == before
    assert mine not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("endpoint", "data"),
    [
        ("add_image", '["{token}", "secret name"]'),  # too few: Gradio prints those that came
        ("add_image", '["{token}", {{"secret name": 1}}, ["secret name"]]'),
        ("set_mask", '["{token}", "secret name", "secret name"]'),
        ("segment", '["secret name {token}"]'),
        ("segment", '[{{"path": "/secret name/{token}", "meta": {{"_type": "gradio.FileData"}}}}]'),
    ],
)
def test_what_was_sent_is_in_no_log(
    hosted: RunningPage,
    two: tuple[str, str, str],
    endpoint: str,
    data: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = raw(hosted, endpoint, data.format(token=two[0]))
    assert "error" in told
    logged = "".join(capfd.readouterr()) + caplog.text
    assert two[0] not in logged
    assert "secret name" not in logged


# ---------------------------------------------------------------------------------------- privacy


@pytest.fixture(scope="module")
def two(hosted: RunningPage) -> tuple[str, str, str]:
    """(token of a visitor with a picture, that picture's id, token of another visitor)."""
    first, second = connect(hosted), connect(hosted)
    mine = first.predict("", api_name="/open_workspace")
    other = second.predict("", api_name="/open_workspace")
    first.predict(mine, "secret.png", encoded(DAMAGED.read_bytes()), api_name="/add_image")
    (item,) = analysed(first, mine)
    return mine, item["id"], other


ROUTES = [
    ("GET", "", 200), ("GET", "/view", 200), ("GET", "/thumbnail", 200), ("GET", "/heatmap", 200),
    ("GET", "/levels", 200), ("GET", "/corrections", 200), ("GET", "/truth", 404),
    ("GET", "/reason", 200), ("GET", "/heatmap?of=evidence", 200), ("GET", "/heatmap?of=x", 400),
    ("POST", "/corrections?x=0&y=0&w=1&h=1", 200), ("POST", "/settings", 200),
    ("POST", "/choice", 400), ("POST", "/anyway", 200), ("DELETE", "", None),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "owner"), ROUTES)
def test_no_route_gives_a_picture_to_another_visitor(
    hosted: RunningPage, two: tuple[str, str, str], method: str, path: str, owner: int | None
) -> None:
    mine, id, other = two
    url = f"{hosted.url}lrpseg/items/{id}{path}"

    def ask(token: str | None) -> httpx.Response:
        headers = {} if token is None else {"X-Lrpseg-Workspace": token}
        body = b"\0" if "corrections" in path else b"{}"
        content = body if method == "POST" else None
        return httpx.request(method, url, headers=headers, content=content, timeout=180)

    assert ask(other).status_code == 404
    assert ask(None).status_code == 401
    for guess in (secrets.token_urlsafe(32), mine[:-1], mine + "A", mine.lower(), id, "", "../"):
        if guess != mine:
            assert ask(guess).status_code == 401
    cookie = httpx.request(method, url, cookies={"X-Lrpseg-Workspace": mine}, timeout=180)
    assert cookie.status_code == 401  # a cookie would be sent along from other sites
    if owner is not None:
        assert ask(mine).status_code == owner


def test_lists_hold_a_visitors_own_pictures_alone(
    hosted: RunningPage, two: tuple[str, str, str]
) -> None:
    mine, id, other = two
    client = connect(hosted)
    assert [i["id"] for i in client.predict(mine, api_name="/list_images")] == [id]
    assert client.predict(other, api_name="/list_images") == []
    assert client.predict("", api_name="/open_workspace") not in (mine, other)
    for call in (
        lambda t: client.predict(t, id, api_name="/get_mask"),
        lambda t: client.predict(t, id, encoded(DAMAGED.read_bytes()), api_name="/set_mask"),
        lambda t: client.predict(t, id, 0.5, api_name="/set_threshold"),
        lambda t: client.predict(t, id, "accepted", api_name="/set_status"),
        lambda t: client.predict(t, id, api_name="/delete_image"),
    ):
        with pytest.raises(AppError, match="no such picture"):
            call(other)
        with pytest.raises(AppError, match="no longer there"):
            call(secrets.token_urlsafe(32))


def test_the_servers_files_are_out_of_reach(hosted: RunningPage, two: tuple[str, str, str]) -> None:
    _, id, _ = two
    root = hosted.service.sessions.get(two[0]).folder
    targets = [
        root / "items" / id / "original", root / "workspace.sqlite", Path("/etc/passwd"),
        Path(lrpseg.__file__),
    ]  # fmt: skip
    for target in targets:
        assert target.exists()
        for prefix in ("gradio_api/file=", "file=", "lrpseg/items/", "gradio_api/file/"):
            for path in (str(target), f"../../../..{target}", f"..%2f..%2f..%2f..{target}"):
                answer = httpx.get(f"{hosted.url}{prefix}{path}", timeout=180)
                assert answer.status_code in (401, 403, 404), (prefix, path)
    # Nor does an endpoint fetch what a caller points at, on this machine or on others.
    for data in (
        {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
        {"path": str(targets[0]), "meta": {"_type": "gradio.FileData"}},
        {"url": "http://127.0.0.1:1/x.png", "path": "http://127.0.0.1:1/x.png",
         "meta": {"_type": "gradio.FileData"}},
        {"url": "file:///etc/passwd", "path": "file:///etc/passwd",
         "meta": {"_type": "gradio.FileData"}},
    ):  # fmt: skip
        started = httpx.post(
            f"{hosted.url}gradio_api/call/segment", json={"data": [data]}, timeout=180
        )
        if started.status_code >= 400:
            continue
        event = started.json()["event_id"]
        answer = httpx.get(f"{hosted.url}gradio_api/call/segment/{event}", timeout=180)
        assert "event: error" in answer.text
        assert "root:" not in answer.text
        assert "Traceback" not in answer.text
