"""Uploads: zips, names, limits, sessions; and hundreds of broken or hostile files."""

import io
import logging
import random
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lrpseg.app.commands.files import safe_stem
from lrpseg.core.errors import LrpsegError
from lrpseg.workspace import (
    Limits,
    Workspace,
    load_session,
    read_uploads,
    safe_name,
    save_session,
)
from tests.workspace_support import LIMITS, SETTINGS, analysed, make_zip, picture

pytestmark = pytest.mark.usefixtures("only_toy")


def uploads(tmp_path: Path, data: bytes, name: str = "a.zip", limits: Limits = LIMITS) -> list:
    path = tmp_path / "upload"
    path.write_bytes(data)
    return list(read_uploads([(path, name)], limits))


# ------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("a.png", "a.png"),
        ("belt 3/Größe.png", "belt 3/Größe.png"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\Windows\\a.png", "C_/Windows/a.png"),
        ("a\0b\n.png", "a_b_.png"),
        ("con.png", "_con.png"),
        ("", "picture"),
        ("...", "picture"),
        ("a/../b.png", "a/b.png"),
        ("1/2/3/4/5/6.png", "1/2/3/4/5/6.png"),
        ("<script>.png", "_script_.png"),
        ("x" * 300 + ".png", "x" * 176 + ".png"),
        ("光" * 100 + ".png", "光" * 58 + ".png"),  # 3 bytes each, of which none is cut
        ("x" * 179 + " y", "x" * 179),
        ("con." + "x" * 300, "_con." + "x" * 175),
        ("a/ . /b.png", "a/b.png"),
    ],
)
def test_names_are_made_safe(given: str, safe: str) -> None:
    assert safe_name(given) == safe
    assert safe_name(safe) == safe


@pytest.mark.parametrize(
    ("given", "stem"), [("a/b.png", "b"), ("..", "mask"), ("ä b.tif", "ä_b"), ("a\\b.png", "b")]
)
def test_stems_for_downloads(given: str, stem: str) -> None:
    assert safe_stem(given) == stem


# ------------------------------------------------------------------------------------------- zips


def test_a_zip_gives_its_pictures(tmp_path: Path) -> None:
    found = uploads(
        tmp_path,
        make_zip({
            "b/a.png": picture(1), "c.png": picture(2), ".DS_Store": b"x", "__MACOSX/._c.png": b"x",
            "b/Thumbs.db": b"x", "readme.txt": b"hello", "b/": b"",
        }),
    )  # fmt: skip
    assert [u.name for u in found] == ["b/a.png", "c.png", "readme.txt"]
    assert found[0].data == picture(1)


def test_names_of_a_zip_keep_their_letters_and_all_their_folders(tmp_path: Path) -> None:
    data = make_zip({"Gr__e/1/2/3/4/5/6/a.png": picture(1)})
    (found,) = uploads(tmp_path, data.replace(b"Gr__e", b"Gr\x94\xe1e"))
    assert found.name == "Größe/1/2/3/4/5/6/a.png"
    deep = "/".join(["folder"] * 400) + "/a.png"
    (bounded,) = uploads(tmp_path, make_zip({deep: picture(1)}))
    assert bounded.name.endswith("folder/a.png")
    assert 900 < len(bounded.name) <= 1000


def test_a_zip_of_too_many_names_is_refused_before_it_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_zip({"a.png": picture(1)})
    at = data.rindex(b"PK\5\6")
    for place, value in ((at + 10, (60_000).to_bytes(2, "little")),
                         (at + 12, (10**8).to_bytes(4, "little"))):  # fmt: skip
        lying = data[:place] + value + data[place + len(value) :]
        monkeypatch.setattr(zipfile, "ZipFile", None)
        (refused,) = uploads(tmp_path, lying)
        monkeypatch.undo()
        assert refused.data is None
        assert "Pack fewer" in refused.reason


def test_hostile_zips_are_refused_entry_by_entry(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ok.png", picture())
        archive.writestr(link, "/etc/passwd")
        archive.writestr("../../up.png", picture(1))
        archive.writestr("bomb.png", bytes(1_900_000))
        archive.writestr("large.png", random.Random(0).randbytes(2_100_000))
        archive.writestr("inner.zip", make_zip({"x.png": picture()}))
    by_name = {u.name: u for u in uploads(tmp_path, file.getvalue())}
    assert set(by_name) == {"ok.png", "link.png", "up.png", "bomb.png", "large.png", "inner.zip"}
    assert {n for n, u in by_name.items() if u.data is not None} == {"ok.png", "up.png"}
    assert "not followed" in by_name["link.png"].reason
    assert "too tightly" in by_name["bomb.png"].reason
    assert "larger than 2 MB" in by_name["large.png"].reason
    assert "inside a zip" in by_name["inner.zip"].reason


def test_a_zip_may_not_expand_without_end(tmp_path: Path) -> None:
    noise = random.Random(0)
    many = make_zip({f"{i}.bin": noise.randbytes(1_500_000) for i in range(6)})
    found = uploads(tmp_path, many)
    assert [u.data is not None for u in found] == [True] * 3 + [False] * 3
    assert "more than may be unpacked" in found[-1].reason
    few = uploads(tmp_path, make_zip({f"{i}.png": b"x" for i in range(60)}))
    assert sum(u.data is not None for u in few) == 50
    assert "More than 50 files" in few[-1].reason
    crowd = uploads(tmp_path, make_zip({f"{i}.png": b"" for i in range(501)}))
    assert [u.data for u in crowd] == [None]


def test_a_zip_that_lies_about_its_sizes(tmp_path: Path) -> None:
    data = bytearray(make_zip({"a.png": bytes(1_990_000)}))
    # 10 bytes, says the directory, and holds 2 MB.
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 10)
    (found,) = uploads(tmp_path, bytes(data))
    assert found.data is None or len(found.data) <= 10


def test_an_encrypted_zip_says_so(tmp_path: Path) -> None:
    data = bytearray(make_zip({"a.png": picture()}))
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    (found,) = uploads(tmp_path, bytes(data))
    assert "encrypted" in found.reason


# ---------------------------------------------------------------------------------- hostile files


def _encodings() -> Iterator[tuple[str, bytes]]:
    image = Image.open(io.BytesIO(picture()))
    for kind in ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "TGA", "ICO", "PCX"):
        file = io.BytesIO()
        image.save(file, kind)
        yield kind, file.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + crc


def _png(width: int, height: int, depth: int = 8, colour: int = 2, data: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = zlib.compress(data)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", body)
        + _chunk(b"IEND", b"")
    )


def hostile(longest: int = 10**7) -> Iterator[tuple[str, bytes]]:
    """More than 200 files that are broken, lie, or are no pictures; longest: the side of one that
    is a pixel wide."""
    for kind, data in _encodings():
        for part in (0.05, 0.2, 0.5, 0.9, 0.99):
            yield f"cut-{kind}-{part}", data[: int(len(data) * part)]
        for seed in range(12):
            noise, broken = random.Random(seed), bytearray(data)
            for _ in range(1 + seed * 3):
                broken[noise.randrange(min(len(broken), 200 if seed % 2 else 10**6))] = (
                    noise.randrange(256)
                )
            yield f"flipped-{kind}-{seed}", bytes(broken)
        yield f"twice-{kind}", data + data
        yield f"padded-{kind}", b"\0" * 64 + data
        yield f"zeros-{kind}", data[:64] + bytes(max(0, len(data) - 64))
    for size in ((0, 0), (1, 0), (2**31 - 1, 1), (1, 2**31 - 1), (2**31 - 1, 2**31 - 1),
                 (60_000, 60_000), (100_000, 30_000), (1, longest)):  # fmt: skip
        yield f"png-{size}", _png(*size)
        yield f"bomb-{size}", _png(*size, data=bytes(2_000_000))
    for depth, colour in ((0, 2), (3, 7), (16, 9), (255, 255), (32, 0)):
        yield f"png-depth-{depth}-{colour}", _png(8, 8, depth, colour, bytes(1000))
    yield "empty", b""
    yield "zero", b"\0"
    yield "text", b"hello world" * 100
    yield "html", b"<html><script>alert(1)</script></html>"
    yield "svg", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    yield "pdf", b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF"
    yield "eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9999 9999\n(x) run\n"
    yield "python", b"import os; os.system('true')"
    yield "pickle", b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94."
    yield "npy", b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n"
    yield "gif-header", b"GIF89a\xff\xff\xff\xff\xf7\x00\x00"
    yield (
        "bmp-header",
        b"BM" + struct.pack("<IHHIIiiHH", 10**9, 0, 0, 54, 40, 10**5, -(10**5), 1, 24),
    )
    yield "tiff-loop", b"II*\0\x08\0\0\0\x01\0\x00\x01\x03\0\x01\0\0\0\x08\0\0\0\x08\0\0\0"
    yield "ppm-header", b"P6 1000000 1000000 255\n"
    yield "farbfeld", b"farbfeld" + struct.pack(">II", 2**31, 2**31)
    for seed in range(20):
        yield f"noise-{seed}", random.Random(seed).randbytes(seed * 50)


@pytest.mark.parametrize("longest", [10**7, pytest.param(10**8, marks=pytest.mark.slow)])
def test_hostile_files_are_kept_as_failed_or_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, longest: int
) -> None:
    files = dict(hostile(longest))
    assert len(files) >= 200
    workspace = Workspace(tmp_path / "ws")
    drawn = analysed(workspace, "mine.png")
    workspace.patch_corrections(drawn.id, 0, 0, 2, 1, bytes([1, 2]))
    mine = workspace.corrections(drawn.id).copy()
    with caplog.at_level(logging.ERROR):
        for name, data in files.items():
            item = workspace.add(safe_name(name), data, SETTINGS)
            if item.status == "failed":
                assert item.reason
                assert "Traceback" not in item.reason
                assert str(tmp_path) not in item.reason
            else:
                assert workspace.image(item.id).shape == (item.height, item.width, 3)
                workspace.thumbnail(item.id)
    items = workspace.items()
    assert len(items) == len(files) + 1
    assert sum(i.status == "failed" for i in items) > 100
    assert np.array_equal(workspace.corrections(drawn.id), mine)
    assert not caplog.records


@pytest.mark.parametrize("seed", range(3))
def test_broken_zips_and_sessions_stop_nothing(tmp_path: Path, seed: int) -> None:
    workspace = Workspace(tmp_path / "ws")
    analysed(workspace)
    save_session(workspace, tmp_path / "s.zip")
    whole, noise = (tmp_path / "s.zip").read_bytes(), random.Random(seed)
    messages = []
    for turn in range(25):
        broken = bytearray(whole)
        if turn % 3 == 0:
            broken = broken[: noise.randrange(len(broken))]
        for _ in range(turn):
            broken[noise.randrange(len(broken))] = noise.randrange(256)
        list(uploads(tmp_path, bytes(broken)))
        path = tmp_path / "broken.zip"
        path.write_bytes(bytes(broken))
        try:
            load_session(workspace, path, LIMITS)
        except LrpsegError as error:
            messages.append(str(error))
    assert len(messages) > 5
    assert all("Traceback" not in message and message.endswith(".") for message in messages)
    for item in workspace.items():
        workspace.corrections(item.id)
