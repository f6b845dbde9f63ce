"""Names in zips of other systems, and how many there are."""

import io
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from lrpseg.core.zips import directory_size, entry_names


def packed(*names: bytes, extra: bytes = b"") -> bytes:
    """A zip whose names are these bytes, as another program writes them."""
    file = io.BytesIO()
    stand_ins = [letter * len(name) for letter, name in zip("ZYXWV", names, strict=False)]
    with zipfile.ZipFile(file, "w") as archive:
        for stand_in in stand_ins:
            entry = zipfile.ZipInfo(stand_in)
            entry.extra = extra
            archive.writestr(entry, b"x")
    data = file.getvalue()
    for stand_in, name in zip(stand_ins, names, strict=True):
        data = data.replace(stand_in.encode(), name)
    return data


def names(data: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return entry_names(archive.infolist())


@pytest.mark.parametrize(
    ("encoding", "given"),
    [
        ("cp932", ["写真/テスト01.png", "plain.png"]),
        ("cp932", ["表面/表.png"]),
        ("cp932", ["ﾃｽﾄ.png"]),
        ("cp437", ["Größe/Müller Straße.png", "Äpfel.png"]),
        ("cp437", ["été.png", "façade.png"]),
        ("cp437", ["übung.png"]),
        ("utf-8", ["Größe/写真.png", "a.png"]),
        ("cp866", ["фото/трещина 1.png"]),
        ("cp1252", ["Größe.png", "café.png"]),
        ("ascii", ["a/b.png"]),
    ],
)
def test_names_are_what_they_were(encoding: str, given: list[str]) -> None:
    assert names(packed(*(name.encode(encoding) for name in given))) == given


def test_python_s_own_zips_keep_their_names() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("Größe/写真.png", b"x")
    assert names(file.getvalue()) == ["Größe/写真.png"]


def test_the_name_that_info_zip_adds() -> None:
    raw, told = b"B_ld.png", "Bäld.png".encode()
    body = b"\1" + struct.pack("<I", zlib.crc32(raw)) + told
    field = struct.pack("<HH", 0x7075, len(body)) + body
    assert names(packed(raw, extra=field)) == ["Bäld.png"]
    other = field.replace(struct.pack("<I", zlib.crc32(raw)), b"\0\0\0\0")  # of another name
    assert names(packed(raw, extra=other)) == ["B_ld.png"]


def test_entries_are_counted_before_they_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(packed(b"a.png", b"b.png", b"c.png"))
    assert directory_size(path)[0] == 3
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"PK and more"
    assert directory_size(path)[0] == 3
    for data in (b"", b"PK\5\6", b"no zip at all", path.read_bytes()[:40]):
        path.write_bytes(data)
        assert directory_size(path) == (0, 0)


def test_entries_of_a_large_zip_are_counted_too(tmp_path: Path) -> None:
    """Of more than 65534 entries the count is in a record of its own."""
    end64 = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 10**6, 10**6, 9**9, 0)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, 0, 1)
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path = tmp_path / "a.zip"
    path.write_bytes(end64 + locator + end)
    assert directory_size(path) == (10**6, 9**9)
    path.write_bytes(end)
    assert directory_size(path)[0] == 0xFFFF
