"""Turns uploads into named files: pictures as they are, zips unpacked, all within limits."""

import io
import stat
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lrpseg.core.zips import HIDDEN, directory_size, entry_names

_PART = 180
"""Bytes of a name: file systems allow 255, and exports and temporary files add to it."""

_WHOLE = 1000
"""Bytes of a path: operating systems allow 4096, with the folders that it is written to."""

_ENTRY = 300
"""Bytes of a zip's directory for each entry, on average, before it is taken for a lie."""

LARGE, MANY = "too large", "too many files"
"""Kinds of refusals."""

_RESERVED = {"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(10))}
_SYSTEMS = {".ds_store", "thumbs.db", "desktop.ini"}
_CHUNK = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What may be uploaded. max_bytes: of a file; max_files: in one upload, zips unpacked;
    max_expanded: of a zip's content in all; max_ratio: of a zip entry's size to its packed one."""

    max_bytes: int = 200_000_000
    max_files: int = 10_000
    max_expanded: int = 20_000_000_000
    max_ratio: int = 200

    @classmethod
    def hosted(cls) -> "Limits":
        """For a page that anybody may use."""
        return cls(max_bytes=50_000_000, max_files=200, max_expanded=1_000_000_000)


@dataclass(frozen=True)
class Upload:
    """A file to add, or one that was refused: then `data` is None, `reason` says why, and `kind` in
    a few words, to count by."""

    name: str
    data: bytes | None
    reason: str = ""
    kind: str = "cannot be read"


def safe_name(name: str) -> str:
    """A relative POSIX path that is safe to show and to write to: no "..", no root, no drive, no
    control characters; other languages' letters stay, and all folders that a path has room for, the
    last ones first. Never empty."""
    text = unicodedata.normalize("NFC", name.replace("\\", "/"))
    parts = []
    for part in text.split("/"):
        kept = "".join(c if c.isprintable() and c not in '<>:"|?*' else "_" for c in part)
        kept = kept.strip(" .") if set(kept) - {"."} else ""
        kept = _bounded(kept)
        if kept.split(".")[0].lower() in _RESERVED:
            kept = _bounded(f"_{kept}")
        if kept:
            parts.append(kept)
    while sum(len(part.encode()) + 1 for part in parts) > _WHOLE + 1:
        del parts[0]
    return "/".join(parts) or "picture"


def _bounded(part: str) -> str:
    """`part` with at most `_PART` bytes of UTF-8, whole characters all, and its suffix."""
    if len(part.encode()) <= _PART:
        return part
    stem, dot, suffix = part.rpartition(".")
    tail = dot + suffix if stem and len(suffix) <= 5 else ""
    room = _PART - len(tail.encode())
    return part.encode()[:room].decode(errors="ignore").rstrip(" .") + tail


def read_uploads(paths: Iterable[tuple[Path, str]], limits: Limits) -> Iterator[Upload]:
    """The files at `paths`, each with the name it came under; zips are unpacked.

    One that is refused stops nothing. Files are read one at a time: memory holds one.
    """
    count = 0
    for path, name in paths:
        uploads = (
            _unpacked(path, name, limits)
            if zipfile.is_zipfile(path)
            else [_file(path, name, limits)]
        )
        for upload in uploads:
            count += upload.data is not None
            if count > limits.max_files:
                yield Upload(
                    upload.name, None, f"More than {limits.max_files} files at once.", MANY
                )
                return
            yield upload


def _file(path: Path, name: str, limits: Limits) -> Upload:
    try:
        if path.stat().st_size > limits.max_bytes:
            return Upload(safe_name(name), None, _too_large(limits), LARGE)
        return Upload(safe_name(name), path.read_bytes())
    except OSError as error:
        return Upload(safe_name(name), None, f"The upload cannot be read: {error.strerror}.")


def _unpacked(path: Path, name: str, limits: Limits) -> Iterator[Upload]:
    archive_name = safe_name(name)
    most = 10 * limits.max_files
    try:
        count, length = directory_size(path)  # a list of a million names takes a while to read
        if count > most or length > most * _ENTRY:
            yield Upload(archive_name, None, _too_many(count, most), MANY)
            return
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > most:
                yield Upload(archive_name, None, _too_many(len(entries), most), MANY)
                return
            left = limits.max_expanded
            for entry, name in zip(entries, entry_names(entries), strict=True):
                if entry.is_dir() or _of_a_system(name):
                    continue
                if _hidden(name):
                    yield Upload(safe_name(name), None, "A hidden file is left out.", HIDDEN)
                    continue
                upload = _entry(archive, entry, safe_name(name), limits, left)
                left -= len(upload.data or b"")
                yield upload
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        yield Upload(archive_name, None, f"The zip is damaged: {error}.")


def _of_a_system(name: str) -> bool:
    """What macOS and Windows put beside pictures: nobody misses it."""
    parts = _parts(name) or ("",)
    return "__MACOSX" in parts or parts[-1].lower() in _SYSTEMS


def _hidden(name: str) -> bool:
    """Whether a file, or a folder that it is in, is hidden: its name begins with a dot."""
    return any(part.startswith(".") and part not in (".", "..") for part in _parts(name))


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name.replace("\\", "/")).parts


def _entry(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, limits: Limits, left: int
) -> Upload:
    if stat.S_ISLNK(entry.external_attr >> 16):
        return Upload(name, None, "A link inside a zip is not followed.", "link inside of a zip")
    if entry.flag_bits & 1:
        return Upload(name, None, "The zip is encrypted. Unpack it first.", "encrypted")
    try:
        data = _read(archive, entry, limits, left)
    except _TooMuchError as error:
        return Upload(name, None, str(error), LARGE)
    except (
        Exception
    ) as error:  # zipfile and its codecs raise whatever a damaged entry makes of them
        return Upload(name, None, f"This entry of the zip is damaged: {error}.")
    if zipfile.is_zipfile(io.BytesIO(data)):
        reason = "A zip inside a zip is not opened. Upload it by itself."
        return Upload(name, None, reason, "zip inside of a zip")
    return Upload(name, data)


class _TooMuchError(Exception):
    pass


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: Limits, left: int) -> bytes:
    """An entry's bytes, counted while they come: the sizes in its header are not to be trusted."""
    parts, size = [], 0
    with archive.open(entry) as file:
        while part := file.read(_CHUNK):
            parts.append(part)
            size += len(part)
            if size > limits.max_bytes:
                raise _TooMuchError(_too_large(limits))
            if size > left:
                raise _TooMuchError("The zip holds more than may be unpacked at once.")
            if size > _CHUNK and size > limits.max_ratio * max(1, entry.compress_size):
                raise _TooMuchError("This entry of the zip is packed too tightly to be a picture.")
    return b"".join(parts)


def _too_large(limits: Limits) -> str:
    return f"The file is larger than {limits.max_bytes / 1e6:.0f} MB."


def _too_many(count: int, most: int) -> str:
    return f"The zip has {count:,} entries; the limit is {most:,}. Pack fewer into each."
