"""Where pictures are: files, folders, patterns, zips, and lists of paths."""

import codecs
import glob
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from lrpseg.core.errors import ImageError
from lrpseg.core.images import SUFFIXES
from lrpseg.core.zips import HIDDEN, entry_names
from lrpseg.formats import FORMATS
from lrpseg.workspace.intake import safe_name

LIST_SUFFIX = ".txt"
STATE = ".lrpseg"
"""The folder in a run's --out that holds its plan and its shards."""

_WRITTEN = frozenset({*FORMATS, "overlays", "summary", "items"})
"""Folders in a run's --out, and of the workspace that is laid into it."""

_WRITTEN_FILES = re.compile(
    r"index\.html|report\.json|pictures\.jsonl|workspace\.sqlite(-wal|-shm)?|reserve"
)
"""Files beside them."""

LeaveOut = Callable[[str, str], object]
"""Is told of each file that is not taken: the kind of reason, and its name."""

LINKED, EARLIER, BROKEN = "linked folder, read already", "of an earlier run", "broken link"

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


def find_sources(
    given: Sequence[str | os.PathLike[str]], leave_out: LeaveOut | None = None
) -> Iterator[Source]:
    """All pictures of `given`, one by one, in the order given and by name inside of a folder.

    Of a folder and of a zip these are the files with a suffix of `SUFFIXES`; a file that is named
    itself is always tried. Linked folders come after the others, each folder once.

    Args:
        given: image files, folders (recursively), patterns such as "belt*/**/*.png", zips, and
            text files (.txt) with a path on each line.
        leave_out: is told of what is not taken.

    Raises:
        ImageError: one of them does not exist or matches nothing.
    """
    several = len(given) > 1
    for entry in given:
        yield from _of(os.fspath(entry), several, (), leave_out or (lambda kind, name: None))


def _of(entry: str, several: bool, lists: tuple[str, ...], leave_out: LeaveOut) -> Iterator[Source]:
    path = Path(entry)
    if path.is_dir():
        # Pictures of several folders may share their names: the folder's own tells them apart.
        yield from _folder(path, f"{path.resolve().name}/" if several else "", leave_out)
    elif path.suffix.lower() == LIST_SUFFIX and path.is_file():
        yield from _listed(path, lists, leave_out)
    elif path.is_file() and path.suffix.lower() == ".zip":
        yield from _zipped(path, f"{path.stem}/" if several else "", leave_out)
    elif path.exists():
        yield Source(safe_name(path.name), str(path))
    elif glob.has_magic(entry):
        yield from _pattern(entry)
    else:
        raise ImageError(f"{entry}: there is no such file or folder.")


def _folder(root: Path, prefix: str, leave_out: LeaveOut) -> Iterator[Source]:
    own = (root / STATE).is_dir()  # an earlier run wrote beside its pictures
    seen: set[tuple[int, int]] = set()
    starts = [root]
    for start in starts:  # grows by the linked folders, which come last
        if not _first_time(start, seen):
            leave_out(LINKED, prefix + start.relative_to(root).as_posix())
            continue
        for folder, folders, files in os.walk(start):
            inside = []
            for name in sorted(folders):
                path = Path(folder) / name
                shown = prefix + path.relative_to(root).as_posix()
                if name.startswith(STATE):  # this run's own, or an earlier one's
                    continue
                if name.startswith("."):
                    leave_out(HIDDEN, shown)
                # What an earlier run wrote among the pictures is no picture.
                elif (path / STATE).is_dir() or (own and name in _WRITTEN and path.parent == root):
                    leave_out(EARLIER, shown)
                elif path.is_symlink():
                    starts.append(path)
                elif _first_time(path, seen):
                    inside.append(name)
                else:
                    leave_out(LINKED, shown)
            folders[:] = inside
            for name in sorted(files):
                path = Path(folder) / name
                shown = prefix + path.relative_to(root).as_posix()
                if name.startswith(STATE):
                    continue
                if own and _WRITTEN_FILES.fullmatch(name) and path.parent == root:
                    leave_out(EARLIER, shown)
                elif reason := _no_picture(name):
                    leave_out(reason, shown)
                elif path.is_symlink() and not path.exists():
                    leave_out(BROKEN, shown)
                else:
                    yield Source(_whole_name(shown), str(path))


def _first_time(folder: Path, seen: set[tuple[int, int]]) -> bool:
    """Whether a folder was not seen before, under whatever name; it is then."""
    try:
        state = folder.stat()
    except OSError:  # os.walk passes over what cannot be read
        return True
    key = state.st_dev, state.st_ino
    new = key not in seen
    seen.add(key)
    return new


def _no_picture(name: str) -> str:
    """The kind of reason why a file of this name is not taken; "" where it is."""
    if name.startswith("."):
        return HIDDEN
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in SUFFIXES:
        return ""
    return f"{suffix} file" if suffix else "file without a suffix"


def _whole_name(name: str) -> str:
    """A name with all its folders, each made safe."""
    parts = [safe_name(part) for part in name.split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or "picture"


def _pattern(pattern: str) -> Iterator[Source]:
    fixed, rest = _literal(pattern)
    found = False
    for path in sorted(glob.iglob(os.path.join(glob.escape(fixed), rest), recursive=True)):
        if os.path.isfile(path):
            found = True
            yield Source(_whole_name(Path(os.path.relpath(path, fixed or ".")).as_posix()), path)
    if not found:
        raise ImageError(f"{pattern}: no file fits this pattern.")


def _literal(pattern: str) -> tuple[str, str]:
    """A pattern as the folder that it begins with, and the rest. A folder that is there is meant as
    it is written: "photos [2]/*.png" looks into `photos [2]`."""
    fixed, parts = "", list(Path(pattern).parts)
    while len(parts) > 1:
        inner = os.path.join(fixed, parts[0])
        if glob.has_magic(parts[0]) and not os.path.isdir(inner):
            break
        fixed = inner
        del parts[0]
    return fixed, os.path.join(*parts)


def _listed(path: Path, lists: tuple[str, ...], leave_out: LeaveOut) -> Iterator[Source]:
    """Relative paths are taken from the list's own folder."""
    if str(path.resolve()) in lists:
        raise ImageError(f"{path} lists itself.")
    try:
        with path.open(encoding=_encoding(path)) as lines:
            for line in lines:
                entry = line.strip()
                if entry and not entry.startswith("#"):
                    where = os.path.join(path.parent, entry)
                    yield from _of(where, False, (*lists, str(path.resolve())), leave_out)
    except UnicodeError as error:
        raise ImageError(
            f"{path} is no list of paths: it is neither UTF-8 nor UTF-16. Save it as UTF-8."
        ) from error


def _encoding(path: Path) -> str:
    """UTF-8, unless a byte-order mark says UTF-16, as Windows' editors may write."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else (
            "utf-8-sig"
        )  # fmt: skip


def _zipped(path: Path, prefix: str, leave_out: LeaveOut) -> Iterator[Source]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise ImageError(f"{path} is a damaged zip: {error}.") from error
    named = zip(entry_names(entries), entries, strict=True)
    for name, entry in sorted(named, key=lambda pair: pair[1].filename):
        parts = PurePosixPath(name).parts
        if entry.is_dir() or not parts:
            continue
        if any(p == "__MACOSX" or (p.startswith(".") and p != "..") for p in parts):
            leave_out(HIDDEN, prefix + name)
        elif stat.S_ISLNK(entry.external_attr >> 16):
            leave_out("link inside of a zip", prefix + name)
        elif reason := _no_picture(parts[-1]):
            leave_out(reason, prefix + name)
        else:
            yield Source(_whole_name(prefix + name), str(path), entry.filename)
