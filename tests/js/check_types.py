"""Checks the types of the editor's scripts with TypeScript, which npm fetches; builds nothing.

Run by `make check`. TypeScript comes into `node_modules/`, in the version of `package-lock.json`.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from playwright._impl._driver import compute_driver_executable

ROOT = Path(__file__).parents[2]
TYPESCRIPT = Path("node_modules", "typescript")


def find_node() -> str:
    """A Node: the system's, or the one that Playwright brings."""
    return shutil.which("node") or compute_driver_executable()[0]


def is_installed() -> bool:
    """Whether the TypeScript of the lock file is there."""
    try:
        found = json.loads((ROOT / TYPESCRIPT / "package.json").read_text("utf-8"))["version"]
    except FileNotFoundError:
        return False
    lock = json.loads((ROOT / "package-lock.json").read_text("utf-8"))
    return bool(found == lock["packages"][TYPESCRIPT.as_posix()]["version"])


def main() -> int:
    """The exit status of `tsc`; 0 with a word about it where there is no npm to fetch it."""
    if not is_installed():
        npm = shutil.which("npm")
        if npm is None:
            print("npm is not installed (it comes with Node.js): script types are not checked.")
            return 0
        if subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=ROOT).returncode:
            print("npm could not fetch TypeScript: see above, and try `npm ci` again.")
            return 1
    tsc = ROOT / TYPESCRIPT / "bin" / "tsc"
    return subprocess.run([find_node(), str(tsc), "--noEmit", "-p", str(ROOT)]).returncode


if __name__ == "__main__":
    sys.exit(main())
