"""The long jobs that are killed: what there is before, what is done, and what is compared after."""

import hashlib
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from lrpseg.app import commands
from lrpseg.app.analyser import Segmenters
from lrpseg.folders.run import JOB_FILE, STATE
from lrpseg.masks.render import mask_image, save_png
from lrpseg.pipeline.settings import Settings
from lrpseg.workspace import Item, Limits, Workspace, load_session, save_session
from tests.folders.support import tree
from tests.page_support import DAMAGED
from tests.soak import children
from tests.soak.visitor import Visitor

LIMITS = Limits(max_bytes=10**8, max_files=1000, max_expanded=10**9)
FORMATS = "png,coco,labelme,label-studio,yolo"
Outcome = dict[str, bytes]


@dataclass(frozen=True)
class Job:
    """prepare: fills a folder with what there is before, for so many pictures. work: the job, in a
    process of its own; begun again after a kill, it goes on. outcome: what must be the same after
    kills as without. short: it is worth a try with few pictures."""

    prepare: Callable[[Path, int], None]
    work: Callable[[Path], None]
    outcome: Callable[[Path], Outcome]
    short: bool = False


def draw_pictures(folder: Path, number: int) -> list[Path]:
    """Parts of a shipped sample, each of a tile's size, no two alike."""
    with Image.open(DAMAGED) as image:
        pixels = np.asarray(image.convert("L"))
    folder.mkdir(parents=True)
    paths = [folder / f"{n:03}.png" for n in range(number)]
    for n, path in enumerate(paths):
        y, x = n * 37 % (pixels.shape[0] - 224), n * 53 % (pixels.shape[1] - 224)
        part = pixels[y : y + 224, x : x + 224].copy()
        part[0, 0] = n
        Image.fromarray(part).save(path)
    return paths


def settings() -> Settings:
    """One network's, whichever domain's defaults change."""
    return commands.settings_of("magnetic-tile", network="one-fc", thresholder="simple")


# -------------------------------------------------------------------------------------- annotate


def _pictures(folder: Path, number: int) -> None:
    draw_pictures(folder / "in", number)


def annotate(folder: Path) -> None:
    """With --resume as soon as there is something to go on with."""
    out = folder / "out"
    words = ["annotate", str(folder / "in"), "--out", str(out), "--format", FORMATS, "--device"]
    words += ["cpu", "--network", "one-fc", "--thresholder", "simple"]
    children.command(*words, *(["--resume"] if (out / STATE / JOB_FILE).exists() else []))


def _out(folder: Path) -> Outcome:
    return tree(folder / "out")


# ------------------------------------------------------------------- export, import, learn, session


def fill(folder: Path, number: int) -> None:
    """A workspace of analysed pictures, each of which is drawn on."""
    workspace, run = Workspace(folder / "ws"), Segmenters("cpu").run
    for n, path in enumerate(draw_pictures(folder / "in", number)):
        result = run(path, settings(), explain_intact=True)
        item = workspace.add(path.name, path.read_bytes(), settings(), True, result=result)
        workspace.patch_corrections(item.id, 60, 50 + n, 40, 3, bytes([1 + n % 2]) * 120)
    workspace.rest()


def _masks(folder: Path, number: int) -> None:
    """A workspace of pictures that nobody analysed, and a mask of each."""
    _waiting(folder, number)
    for n, path in enumerate(sorted((folder / "in").iterdir())):
        mask = np.zeros((224, 224), bool)
        mask[n : n + 40, 20:90] = True
        save_png(mask_image(mask), folder / "masks" / path.name)


def _waiting(folder: Path, number: int) -> None:
    workspace = Workspace(folder / "ws")
    for path in draw_pictures(folder / "in", number):
        workspace.add(path.name, path.read_bytes(), settings(), True)
    workspace.rest()


def export(folder: Path) -> None:
    ws, out = str(folder / "ws"), str(folder / "out")
    children.command("export", "--workspace", ws, "--out", out, "--format", FORMATS)


def import_(folder: Path) -> None:
    ws, masks = str(folder / "ws"), str(folder / "masks")
    children.command("import", masks, "--workspace", ws, "--as", "truth")


def learn(folder: Path) -> None:
    os.environ["LRPSEG_DOMAINS"] = str(folder / "domains")
    ws = str(folder / "ws")
    children.command(
        "learn", "--workspace", ws, "--steps", "4", "--hold-out", "0", "--device", "cpu"
    )


def _learned(folder: Path) -> Outcome:
    return tree(folder / "domains")


def save(folder: Path) -> None:
    save_session(Workspace(folder / "ws"), folder / "session.zip")


def _saved(folder: Path) -> Outcome:
    with zipfile.ZipFile(folder / "session.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _session(folder: Path, number: int) -> None:
    fill(folder, number)
    save(folder)


def load(folder: Path) -> None:
    load_session(Workspace(folder / "there"), folder / "session.zip", LIMITS)


def _loaded(folder: Path) -> Outcome:
    """A session that comes again after a kill leaves pictures twice: the copy with more of what was
    drawn counts."""
    workspace = Workspace(folder / "there")
    drawn = sorted((workspace.corrections(i.id).tobytes(), i.sha256) for i in workspace.items())
    return {sha256: held for held, sha256 in drawn}


# ------------------------------------------------------------------------------------------- page


def analyse(folder: Path) -> None:
    """The page, until all that waits is analysed."""
    page = children.launch(folder / "ws", children.free_port())
    workspace = page.service.sessions.open()[1]
    children.until(lambda: not _busy(workspace.items()), "the analysis does not end")
    page.stop()


def _busy(items: list[Item]) -> bool:
    return any(item.status in ("waiting", "running") for item in items)


def state(folder: Path) -> Outcome:
    """All of the workspace in `ws`: pictures, what was found, drawn and given as truth."""
    workspace, held = Workspace(folder / "ws"), {}
    for item in workspace.items():
        truth = workspace.truth(item.id)
        held |= {
            item.name: workspace.original(item),
            f"{item.name} drawn": workspace.corrections(item.id).tobytes(),
            f"{item.name} truth": b"" if truth is None else truth.tobytes(),
        }
        if item.analysis:
            held[f"{item.name} found"] = workspace.relevance(item.id).tobytes()
            held[f"{item.name} mask"] = workspace.mask(item.id).tobytes()
    return held


def upload(folder: Path) -> None:
    """A program that adds pictures to a page one by one; those that were confirmed are not sent
    again."""
    port, confirmed = children.free_port(), folder / "confirmed"
    page = children.launch(folder / "ws", port)
    page.service.analyser.stop()  # what comes is looked at, not what is made of it
    visitor = Visitor(page.url)
    done = confirmed.read_text().split() if confirmed.exists() else []
    for path in sorted((folder / "in").iterdir()):
        if path.name not in done:
            visitor.add(path.name, path.read_bytes())
            with confirmed.open("a") as file:
                file.write(f"{path.name}\n")
    page.stop()


def _uploaded(folder: Path) -> Outcome:
    """One that was killed before it was confirmed may be there twice."""
    workspace = Workspace(folder / "ws")
    held = [workspace.original(item) for item in workspace.items()]
    return {hashlib.sha256(data).hexdigest(): data for data in held}


JOBS = {
    "annotate": Job(_pictures, annotate, _out, short=True),
    "export": Job(fill, export, _out, short=True),
    "import": Job(_masks, import_, state, short=True),
    "learn": Job(fill, learn, _learned),
    "analysis on the page": Job(_waiting, analyse, state, short=True),
    "upload": Job(_pictures, upload, _uploaded),
    "session saved": Job(fill, save, _saved),
    "session loaded": Job(_session, load, _loaded),
}
