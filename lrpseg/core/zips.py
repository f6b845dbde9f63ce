"""Zips of other systems: how many entries they have before one is read, and their names.

https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3.14 to 4.3.16 and appendix D.
"""

import re
import struct
import unicodedata
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO
from zipfile import ZipInfo

HIDDEN = "hidden"
"""The kind of reason why a hidden file is left out."""

_END, _END64, _LOCATOR64 = b"PK\5\6", b"PK\6\6", b"PK\6\7"
_LONGEST_END = 22 + 65535
_UTF8 = 0x800
_UNICODE_PATH = 0x7075

_FOREIGN = re.compile(r"[^\x00-\x7f]+")


def directory_size(path: Path) -> tuple[int, int]:
    """How many entries a zip says it has, and the bytes of their directory; (0, 0) where it has no
    end that says so. Nothing is unpacked, and no entry is looked at."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _LONGEST_END))
        tail = file.read()
        at = tail.rfind(_END)
        if at < 0 or len(tail) - at < 22:
            return 0, 0
        count, length = struct.unpack_from("<HI", tail, at + 10)
        if count == 0xFFFF or length == 0xFFFFFFFF:
            return _zip64(file, tail, at) or (count, length)
    return count, length


def _zip64(file: BinaryIO, tail: bytes, at: int) -> tuple[int, int] | None:
    place = at - 20
    if place < 0 or tail[place : place + 4] != _LOCATOR64:
        return None
    (start,) = struct.unpack_from("<Q", tail, place + 8)
    file.seek(start)
    end = file.read(56)
    if len(end) < 56 or end[:4] != _END64:
        return None
    count, length = struct.unpack_from("<QQ", end, 32)
    return count, length


def entry_names(entries: Sequence[ZipInfo]) -> list[str]:
    """The names of a zip's entries, in their order, as whoever packed them saw them.

    Zips say of a name that it is UTF-8, or nothing: then Python takes it for code page 437. Such
    names are read as UTF-8 where all of the zip are that; else as Japanese (932), Western European
    (437), Russian (866) or Windows' Western European (1252), the first in which all make words.
    """
    raw = {at: held for at, entry in enumerate(entries) if (held := _raw(entry)) is not None}
    decode = _encoding([name for name in raw.values() if not name.isascii()])
    return [
        _unicode_path(entry, raw.get(at)) or (decode(raw[at]) if at in raw else entry.filename)
        for at, entry in enumerate(entries)
    ]


def _raw(entry: ZipInfo) -> bytes | None:
    """A name's bytes, where the zip does not say what they are."""
    if entry.flag_bits & _UTF8:
        return None
    try:
        return entry.orig_filename.partition("\0")[0].encode("cp437")
    except UnicodeEncodeError:  # Python knew better
        return None


def _unicode_path(entry: ZipInfo, raw: bytes | None) -> str | None:
    """The name in the extra field that Info-ZIP and others write, if it is of this entry."""
    extra, place = entry.extra, 0
    while raw is not None and place + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, place)
        body = extra[place + 4 : place + 4 + size]
        told = kind == _UNICODE_PATH and len(body) > 5 and body[0] == 1
        if told and struct.unpack_from("<I", body, 1)[0] == zlib.crc32(raw):
            return body[5:].decode("utf-8", "replace")
        place += 4 + size
    return None


def _encoding(names: Sequence[bytes]) -> Callable[[bytes], str]:
    """How names are decoded that hold more than ASCII."""
    for encoding, fits in (
        ("utf-8", lambda text: True),
        ("cp932", _japanese),
        ("cp437", lambda text: _all_letters(text, "LATIN")),
        ("cp866", lambda text: _all_letters(text, "CYRILLIC") and not _mixed(text)),
        ("cp1252", lambda text: _all_letters(text, "LATIN")),
    ):
        try:
            if names and all(fits(name.decode(encoding)) for name in names):
                return lambda name, encoding=encoding: name.decode(encoding)  # type: ignore[misc]
        except UnicodeDecodeError:
            continue
    return lambda name: name.decode("cp437")


def _japanese(text: str) -> bool:
    """Whether all that is not ASCII is Japanese, in words rather than in single letters."""
    runs = _FOREIGN.findall(text)
    if not all(_is_japanese(letter) for run in runs for letter in run):
        return False
    return not _mixed(text) or max(map(len, runs), default=0) > 1


def _is_japanese(letter: str) -> bool:
    name = unicodedata.name(letter, "")
    return name.startswith(
        ("HIRAGANA", "KATAKANA", "CJK UNIFIED", "IDEOGRAPHIC", "FULLWIDTH", "HALFWIDTH KATAKANA")
    )


def _all_letters(text: str, script: str) -> bool:
    return all(
        letter.isalpha() and unicodedata.name(letter, "").startswith(script)
        for run in _FOREIGN.findall(text)
        for letter in run
    )


def _mixed(text: str) -> bool:
    """Whether a letter that is not ASCII stands right beside one that is: within a word."""
    return bool(re.search(r"[A-Za-z][^\x00-\x7f]|[^\x00-\x7f][A-Za-z]", text))
