"""Files that lie: of many pixels, many names, many corners, gigabytes, and with names of markup."""

import base64
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.soak.mutations import PNG, chunk
from tests.soak.visitor import RefusedError, encoded
from tests.soak.world import SECRET, World, says
from tests.workspace_support import make_zip, picture

MARKUP = (
    "<img src=x onerror=alert(1)>.png", '"><script>alert(1)</script>.png', "&lt;b&gt;.png",
    "{{7*7}}.png", "%s%n.png", "a\nb.png", "../../../etc/passwd.png", "C:\\con\\nul.png", "." * 300,
    "\u202egnp.exe.png", "=cmd|'/c calc'!A1.png",
)  # fmt: skip


NO_UPLOAD = {"meta": {"_type": "gradio.FileData"}}


def blank_png(width: int, height: int) -> bytes:
    """A picture of zeros, of one bit: small as a file, whatever its size is."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pack, row = zlib.compressobj(9), bytes(1 + (width + 7) // 8)
    body = b"".join(pack.compress(row) for _ in range(height)) + pack.flush()
    return PNG + b"".join(map(chunk, ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))))


def many_pixels(world: World) -> int:
    """A PNG of some 22 kB that holds 178 megapixels: as picture, as mask and as truth."""
    visitor, large = world.visitor, blank_png(13_340, 13_340)
    assert len(large) < 30_000
    told = visitor.add("large.png", large)
    assert told["status"] == "failed", told
    visitor.call("delete_image", visitor.token, told["id"])
    for endpoint in ("set_mask", "set_truth"):
        says(visitor, endpoint, visitor.token, world.id, encoded(large), "")
    for given in (visitor.uploaded(large), {"path": "/etc/passwd", **NO_UPLOAD}):
        says(visitor, "segment", given, "magnetic-tile", "", "", "", None, True, "")
    refused_masks(world, f"{SECRET}.png", large)
    return 6


def masks(world: World, name: str, data: bytes, kind: str = "") -> list[Any]:
    """What `import_mask_file` takes."""
    return [world.visitor.token, name, encoded(data), kind, "truth", "", False]


def no_pictures(world: World) -> int:
    """What is no picture, no mask, no zip and no session file."""
    visitor = world.visitor
    files = world.some((b"PK\3\4", b"", b"text", b"%PDF-1.7", bytes(1000), PNG, b"GIF89a"))
    for data in files:
        told = visitor.add("a.png", data)
        assert told["status"] == "failed", told
        visitor.call("delete_image", visitor.token, told["id"])
        says(visitor, "set_mask", visitor.token, world.id, encoded(data), "")
        says(visitor, "load_session", visitor.token, encoded(data))
        refused_masks(world, "a.json", data)
    says(visitor, "set_mask", visitor.token, world.id, "%%%", "")
    return 4 * len(files) + 1


def refused_masks(world: World, name: str, data: bytes, kind: str = "") -> None:
    """Masks of which none is taken: a sentence for all, or a reason for each."""
    asked = masks(world, name, data, kind)
    try:
        given = world.visitor.call("import_mask_file", *asked)
    except RefusedError:
        says(world.visitor, "import_mask_file", *asked)
        return
    assert given["names"] == [], given
    assert all(reason.endswith(".") for _, reason in given["refused"]), given


def bad_sessions(world: World) -> int:
    """Sessions that hold a picture twice, that unpack to gigabytes, and that lie in other ways."""
    visitor = world.visitor
    whole = base64.b64decode(visitor.call("save_session", visitor.token))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(entries["session.json"])
    (item,) = manifest["items"]
    bomb = bytes(300_000_000 if not world.plan.short else 30_000_000)
    many = [item | {"number": n} for n in range(300)]
    for changed in (
        {"session.json": _json(manifest | {"items": [item, item]})},
        {"session.json": _json(manifest | {"items": many})},
        {"session.json": b"[" * 1_000_000},
        {"session.json": bomb},
        {"0/original": bomb},
        {"0/corrections-0.png": blank_png(13_340, 13_340)},
        {"session.json": _json(manifest | {"items": [item | {"number": 1e30}]})},
        {"session.json": _json(manifest | {"items": [item | {"layers": 5}]})},
        {"session.json": _json(manifest | {"format": 10**9})},
    ):
        data = make_zip(entries | changed)
        says(visitor, "load_session", visitor.token, encoded(data))
    assert [i["id"] for i in visitor.call("list_images", visitor.token)] == [world.id]
    return 9


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def many_names(world: World) -> int:
    """A zip of a million names, as truth and as a session."""
    names = 20_000 if world.plan.short else 1_000_000
    data = _names(names)
    says(world.visitor, "import_mask_file", *masks(world, "a.zip", data[:49_000_000]))
    says(world.visitor, "import_mask_file", *masks(world, "a.zip", data))
    says(world.visitor, "load_session", world.visitor.token, encoded(data))
    return 3


def _names(number: int) -> bytes:
    """A zip of empty entries that all stand at one place, as its directory lists them."""
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"a"
    directory = b"".join(
        struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0)
        + b"%06x" % n
        for n in range(number)
    )
    size, start = len(directory), len(local)
    large = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, number, number, size, start)
    where = struct.pack("<4sLQL", b"PK\6\7", 0, start + size, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, min(number, 0xFFFF), min(number, 0xFFFF),
                      size, start, 0)  # fmt: skip
    return local + directory + large + where + end


def large_coco(world: World) -> int:
    """Eight entries of 177 megapixels, and one that says to be of the picture."""
    side = 13_300
    told = [
        {"id": n, "width": side, "height": side, "file_name": f"{SECRET}.png"} for n in range(8)
    ]
    drawn = [
        {"id": n, "image_id": n, "category_id": 1,
         "segmentation": {"size": [side, side], "counts": [0, side * side]}}
        for n in range(8)
    ]  # fmt: skip
    entry = {"images": told, "annotations": drawn, "categories": [{"id": 1, "name": "damaged"}]}
    refused_masks(world, "a.json", _json(entry), "coco")
    entry["images"] = [told[0] | {"width": world.shape[1], "height": world.shape[0]}]
    refused_masks(world, "a.json", _json(entry), "coco")
    return 2


def many_corners(world: World) -> int:
    """A polygon of 20,000 corners: filled, or refused with a reason."""
    height, width = world.shape
    corners = np.random.default_rng(world.plan.seed).random((20_000, 2)) * (width, height)
    shape = {"label": "damaged", "shape_type": "polygon", "points": corners.round(1).tolist()}
    entry = {
        "shapes": [shape], "imagePath": f"{SECRET}.png", "imageData": None,
        "imageHeight": height, "imageWidth": width,
    }  # fmt: skip
    given = world.visitor.call("import_mask_file", *masks(world, "a.json", _json(entry)))
    assert given["names"] or all(reason.endswith(".") for _, reason in given["refused"]), given
    return 1


def markup(world: World) -> int:
    """Names of files with markup, control characters and paths: they stay text, and export well."""
    visitor = world.visitor
    names = world.some(MARKUP)
    added = [visitor.add(name, picture(n, (40, 50)))["id"] for n, name in enumerate(names)]
    for id in added:
        visitor.analysed(id)
    packed = visitor.call("export", visitor.token, "png, coco, labelme")
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(packed))) as archive:
        held = archive.namelist()
        assert archive.testzip() is None
    assert not any(n.startswith("/") or ".." in n.split("/") or "\n" in n for n in held), held
    page = visitor.ask("GET", "items")
    assert page.headers["content-type"].startswith("application/json"), page.headers
    assert page.headers["x-content-type-options"] == "nosniff", page.headers
    for id in added:
        visitor.call("delete_image", visitor.token, id)
    return len(names)


CASES: dict[str, Callable[[World], int]] = {
    "178 megapixels in 22 kB": many_pixels,
    "files that are none": no_pictures,
    "session files that lie": bad_sessions,
    "a zip of a million names": many_names,
    "COCO of 8 times 177 megapixels": large_coco,
    "20,000 corners": many_corners,
    "names with markup": markup,
}
