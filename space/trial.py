"""Tries a Space before it is uploaded: `make space` runs it.

    python -m space.trial
    python -m space.trial --visitors 3 --megapixels 12     # a while longer

Builds the folder, installs what it asks for and what the Hub adds in a fresh environment, starts it
from there as the Hub does, on two cores where the system can tell, and lets visitors come at once.
Each of them uploads all sample pictures and a large one, and takes the masks home. Prints what
memory the server took at most (of what it ever had in RAM, files that it shares with others
included; Linux alone tells it), and how to upload the folder.
"""

import argparse
import base64
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import numpy as np
from gradio_client import Client
from PIL import Image

from lrpseg.domains.samples import shipped_samples
from space.build import FOLDER, ROOT, add_index, rebuild

ENVIRONMENT = ROOT / "build" / "space-env"
BUSY = {"waiting", "running"}
UPLOAD = 'hf upload YOUR-NAME/lrpseg dist/space . --repo-type space --delete "*"'


def install(environment: Path, folder: Path) -> Path:
    """A fresh environment with what the Hub would install; returns its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    wanted = ["-r", str(folder / "requirements.txt"), "-r", str(ROOT / "space" / "hub.txt")]
    subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True)
    return python


@contextmanager
def serving(python: Path, folder: Path) -> Iterator[tuple[str, int]]:
    """The page as the Hub starts it; gives its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as temporary:
        told = {
            "SYSTEM": "spaces", "SPACE_ID": "someone/lrpseg", "TMPDIR": temporary,
            "GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": str(port),
        }  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        cores = ["taskset", "-c", "0,1"] if shutil.which("taskset") else []
        process = subprocess.Popen([*cores, python, "app.py"], cwd=folder, env=kept | told)
        try:
            url = f"http://127.0.0.1:{port}"
            while process.poll() is None:
                with suppress(httpx.HTTPError):
                    httpx.get(url, timeout=60).raise_for_status()
                    break
                time.sleep(0.5)
            else:
                sys.exit("The page did not start.")
            yield url, process.pid
        finally:
            process.terminate()
            process.wait()


def large(path: Path, megapixels: float) -> bytes:
    """A picture of so many megapixels, 4 to 3, laid with a sample, as a JPEG."""
    tile = np.asarray(Image.open(path).convert("RGB"))
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = height * 4 // 3
    times = (height // tile.shape[0] + 1, width // tile.shape[1] + 1, 1)
    file = io.BytesIO()
    Image.fromarray(np.tile(tile, times)[:height, :width]).save(file, "JPEG")
    return file.getvalue()


def visit(url: str, pictures: list[tuple[str, bytes, str]]) -> float:
    """Upload pictures (name, file, domain), wait until all are analysed, and export their masks;
    returns the seconds that it took."""
    began = time.monotonic()
    client = Client(url, verbose=False)
    token = client.predict("", api_name="/open_workspace")
    for name, data, domain in pictures:
        client.predict(token, name, base64.b64encode(data).decode(), domain, api_name="/add_image")
    while True:
        items = client.predict(token, api_name="/list_images")
        if not BUSY & {item["status"] for item in items}:
            break
        time.sleep(1)
    failed = [f"{item['name']}: {item['reason']}" for item in items if item["status"] == "failed"]
    if failed:
        raise SystemExit("\n".join(failed))
    archive = base64.b64decode(client.predict(token, "", api_name="/export"))
    if len(zipfile.ZipFile(io.BytesIO(archive)).namelist()) < len(pictures):
        raise SystemExit("The export lacks masks.")
    return time.monotonic() - began


def peak(pid: int) -> float | None:
    """GB that a process had in RAM at most; None where the system does not tell."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024 / 1e9
    return None


def main(index: str, visitors: int, megapixels: float) -> None:
    """Build, install, start, visit, tell."""
    rebuild(index)
    python = install(ENVIRONMENT, FOLDER)
    samples = shipped_samples()
    pictures = [(path.name, path.read_bytes(), domain) for path, domain in samples]
    path, domain = samples[-2]
    pictures.append(("large.jpg", large(path, megapixels), domain))
    with serving(python, FOLDER) as (url, pid), ThreadPoolExecutor(visitors) as pool:
        print(f"The page answers at {url}; {visitors} visitors come.", flush=True)
        seconds = list(pool.map(lambda _: visit(url, pictures), range(visitors)))
        most = peak(pid)
    print(
        f"{visitors} visitors at once, each with {len(pictures)} pictures, one of them of "
        f"{megapixels:g} megapixels: done after {max(seconds):.0f} s; "
        + (f"the server took {most:.1f} GB of RAM at most" if most else "memory is not known")
    )
    print(f"\nUpload it, after `hf auth login`:\n\n    {UPLOAD}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m space.trial", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_index(parser)
    parser.add_argument("--visitors", type=int, default=3)
    parser.add_argument("--megapixels", type=float, default=2, help="of each visitor's large one")
    args = parser.parse_args()
    main(args.index, args.visitors, args.megapixels)
