"""Makes sure that there is a Chromium for the tests of the page; prints where it is."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser() -> str | None:
    """Path of a Chromium: $LRPSEG_BROWSER, the system's, or the one that Playwright fetched."""
    candidates = [os.environ.get("LRPSEG_BROWSER"), *map(shutil.which, NAMES)]
    for path in candidates:
        if path and os.access(path, os.X_OK):
            return path
    try:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            path = playwright.chromium.executable_path
        return path if os.access(path, os.X_OK) else None
    except Exception:
        return None


def install() -> None:
    """Try the system's package manager, then Playwright's own download."""
    attempts = []
    if shutil.which("apt-get") and os.geteuid() == 0:
        attempts += [["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]]
    for command in attempts:
        subprocess.run(
            command, check=False, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        )
    if find_browser() is None:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


if __name__ == "__main__":
    if find_browser() is None:
        install()
    found = find_browser()
    if found is None:
        sys.exit(
            "No Chromium was found or could be installed. Install one (for example "
            "`sudo apt-get install chromium`, or `python -m playwright install --with-deps "
            "chromium`), or set LRPSEG_BROWSER to its path."
        )
    print(f"Browser for the tests: {found}")
