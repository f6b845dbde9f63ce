"""Files that were made for somebody to fetch: masks, zips, session files. They do not stay."""

import hashlib
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

KEPT = 3
"""What is kept of each visitor: fetching one may still go on while others are made."""

SECONDS = 86_400


def folder_for(root: Path, owner: str) -> str:
    """The folder below `root` for what is made for `owner` (a workspace's token, which its name
    does not tell), with room for one more: what was made before the last ones goes."""
    folder = root / hashlib.sha256(f"made for {owner}".encode()).hexdigest()[:24]
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)  # in use
    for old in sorted(folder.iterdir(), key=_made, reverse=True)[KEPT - 1 :]:
        shutil.rmtree(old, ignore_errors=True)
    return str(folder)


def new_folder(root: Path) -> str:
    """A new folder below `root`, for what is made for nobody in particular."""
    root.mkdir(parents=True, exist_ok=True)
    return tempfile.mkdtemp(dir=root)


def remove_old(root: Path) -> None:
    """Remove what was made a day ago, also by an earlier process; all of it can be made again."""
    with suppress(OSError):
        for owned in root.iterdir():
            for made in (*owned.iterdir(), owned) if owned.is_dir() else (owned,):
                if time.time() - _made(made) > SECONDS:
                    shutil.rmtree(made, ignore_errors=True)


def _made(path: Path) -> float:
    """When something was made; what another thread removes meanwhile, long ago."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
