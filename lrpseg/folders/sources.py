"""Where pictures are: files, folders, patterns, zips, and lists of paths."""

import glob
import os
import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from lrpseg.core.errors import ImageError
from lrpseg.formats import FORMATS
from lrpseg.workspace.intake import safe_name

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif"})
"""Files of a folder that are taken for images; a file that is named itself is always tried."""

LIST_SUFFIX = ".txt"
STATE = ".lrpseg"
"""The folder in a run's --out that holds its plan and its shards."""

_WRITTEN = frozenset({*FORMATS, "overlays", "summary", "items"})
"""Folders in a run's --out, and of the workspace that is laid into it."""

MAX_BYTES = 2_000_000_000
"""A larger entry of a zip is refused before it is unpacked."""


@dataclass(frozen=True)
class Source:
    """One picture: its name in exports, the file that holds it, and where in a zip it is."""

    name: str
    path: str
    member: str = ""

    def read(self) -> bytes:
        """The picture's bytes; raises `ImageError` where they cannot be read."""
        try:
            if not self.member:
                return Path(self.path).read_bytes()
            state = os.stat(self.path)
            archive = _opened(self.path, state.st_mtime_ns, state.st_size)
            if archive.getinfo(self.member).file_size > MAX_BYTES:
                raise ImageError(f"{self.name} is too large to be unpacked.")
            return archive.read(self.member)
        except ImageError:
            raise
        except OSError as error:
            raise ImageError(f"{self.path} cannot be read: {error.strerror or error}.") from error
        except Exception as error:  # zipfile's codecs raise whatever a damaged entry makes of them
            raise ImageError(f"{self.path}: {self.member} is damaged: {error}.") from error


@lru_cache(maxsize=2)
def _opened(path: str, modified: int, size: int) -> zipfile.ZipFile:
    """An open zip: reading the directory of a large one for each of its pictures would take longer
    than the pictures. ZipFile lets several threads read, and closes its file when it is dropped."""
    return zipfile.ZipFile(path)


def find_sources(given: Sequence[str | os.PathLike[str]]) -> Iterator[Source]:
    """All pictures of `given`, one by one, in the order given and by name inside of a folder.

    Args:
        given: image files, folders (recursively), patterns such as "belt*/**/*.png", zips, and
            text files (.txt) with a path on each line.

    Raises:
        ImageError: one of them does not exist or matches nothing.
    """
    several = len(given) > 1
    for entry in given:
        yield from _of(os.fspath(entry), several, ())


def _of(entry: str, several: bool, lists: tuple[str, ...]) -> Iterator[Source]:
    path = Path(entry)
    if path.is_dir():
        # Pictures of several folders may share their names: the folder's own tells them apart.
        yield from _folder(path, f"{path.resolve().name}/" if several else "")
    elif path.suffix.lower() == LIST_SUFFIX and path.is_file():
        yield from _listed(path, lists)
    elif path.is_file() and path.suffix.lower() == ".zip":
        yield from _zipped(path, f"{path.stem}/" if several else "")
    elif path.exists():
        yield Source(safe_name(path.name), str(path))
    elif glob.has_magic(entry):
        yield from _pattern(entry)
    else:
        raise ImageError(f"{entry}: there is no such file or folder.")


def _folder(root: Path, prefix: str) -> Iterator[Source]:
    own = (root / STATE).is_dir()  # an earlier run wrote beside its pictures
    for folder, folders, files in os.walk(root):
        # What an earlier run wrote among the pictures is no picture.
        folders[:] = sorted(
            d
            for d in folders
            if not d.startswith(".")
            and not os.path.isdir(os.path.join(folder, d, STATE))
            and not (own and d in _WRITTEN and Path(folder) == root)
        )
        for file in sorted(files):
            if PurePosixPath(file).suffix.lower() in SUFFIXES and not file.startswith("."):
                path = Path(folder) / file
                name = prefix + path.relative_to(root).as_posix()
                yield Source(_whole_name(name), str(path))


def _whole_name(name: str) -> str:
    """A name with all its folders, each made safe."""
    parts = [safe_name(part) for part in name.split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or "picture"


def _pattern(pattern: str) -> Iterator[Source]:
    fixed = pattern
    while glob.has_magic(fixed):
        fixed = os.path.dirname(fixed)
    found = False
    for path in sorted(glob.iglob(pattern, recursive=True)):
        if os.path.isfile(path):
            found = True
            yield Source(_whole_name(Path(os.path.relpath(path, fixed or ".")).as_posix()), path)
    if not found:
        raise ImageError(f"{pattern}: no file fits this pattern.")


def _listed(path: Path, lists: tuple[str, ...]) -> Iterator[Source]:
    """Relative paths are taken from the list's own folder."""
    if str(path.resolve()) in lists:
        raise ImageError(f"{path} lists itself.")
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                entry = line.strip()
                if entry and not entry.startswith("#"):
                    where = os.path.join(path.parent, entry)
                    yield from _of(where, False, (*lists, str(path.resolve())))
    except UnicodeDecodeError as error:
        raise ImageError(f"{path} is no list of paths: it is not UTF-8.") from error


def _zipped(path: Path, prefix: str) -> Iterator[Source]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = sorted(archive.infolist(), key=lambda e: e.filename)
    except (zipfile.BadZipFile, OSError) as error:
        raise ImageError(f"{path} is a damaged zip: {error}.") from error
    for entry in entries:
        parts = PurePosixPath(entry.filename).parts
        hidden = any(p == "__MACOSX" or (p.startswith(".") and p != "..") for p in parts)
        link = stat.S_ISLNK(entry.external_attr >> 16)
        picture = PurePosixPath(entry.filename).suffix.lower() in SUFFIXES
        if picture and not (hidden or link or entry.is_dir()):
            yield Source(_whole_name(prefix + entry.filename), str(path), entry.filename)
