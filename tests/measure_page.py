"""Measures how long the page takes to show what is done to a large picture.

    python -m tests.measure_page
    python -m tests.measure_page --size 3000x2000 --ratio 2

Opens a made-up picture and heatmap (no network runs), whose truth is known, in a real browser, and
moves sliders, draws, zooms and undoes. Times are milliseconds from an input event until its frame
is painted: median and worst of so many. "exact after" is when a worker has cleaned the mask that is
seen, "at any threshold after" when all others are clean, too.
"""

import argparse
import io
import statistics
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page

from lrpseg.app import commands
from lrpseg.pipeline.results import Found, Result
from lrpseg.workspace import Workspace
from tests import page_support as do
from tests.browser_support import chromium

NAME = "large.png"
STEPS = 20
SCRIPT = """
async ([what, steps]) => {
  const root = document.querySelector(".lrpseg"), { lrpseg } = root;
  const part = (name) => root.querySelector(`[data-testid=${name}]`);
  const canvas = part("canvas"), box = canvas.getBoundingClientRect();
  const painted = () => new Promise((done) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => done(performance.now());
    port2.postMessage(null);
  }));
  const slide = (name, value) => {
    part(name).value = value;
    part(name).dispatchEvent(new Event("input", { bubbles: true }));
  };
  const point = (type, i, more = {}) => canvas.dispatchEvent(new PointerEvent(type, {
    bubbles: true, pointerId: 1, clientX: box.left + box.width * (0.3 + 0.4 * i / steps),
    clientY: box.top + box.height * (0.4 + 0.1 * Math.sin(i)), ...more,
  }));
  const levels = Number(part("threshold").max);
  const acts = {
    threshold: (i) => slide("threshold", Math.round(levels * (0.1 + 0.6 * i / steps))),
    spots: (i) => slide("min-area", i % 2 ? 40 : 47),
    press: () => point("pointerdown", 0, { button: 0 }),
    move: (i) => point("pointermove", i),
    release: () => point("pointerup", steps),
    undo: () => part("undo").click(),
    zoom: (i) => canvas.dispatchEvent(new WheelEvent("wheel", {
      bubbles: true, cancelable: true, deltaY: i % 2 ? 60 : -60,
      clientX: box.left + box.width / 2, clientY: box.top + box.height / 2,
    })),
    pan: (i) => point("pointermove", i),
    tap: (i) => {
      point("pointerdown", i, { button: 0 });
      point("pointerup", i);
    },
  };
  const times = [], exact = [], settled = [];
  const until = async (name, list, start) => {
    while (lrpseg[name] && !lrpseg[name]()) await painted();
    list.push(performance.now() - start);
  };
  for (let i = 0; i < steps; i++) {
    await painted();
    const start = performance.now();
    acts[what](i);
    times.push(await painted() - start);
    await until("exact", exact, start);
    await until("settled", settled, start);
  }
  return { times, exact, settled };
}
"""


def heatmap(height: int, width: int) -> NDArray[np.float32]:
    """(height, width) float32: thousands of spots of all sizes; any threshold marks others."""
    random = np.random.default_rng(0)
    found = np.zeros((height, width), np.float32)
    for cell, weight in ((200, 1.0), (30, 0.7), (6, 0.4)):
        coarse = random.normal(0, weight, (height // cell + 2, width // cell + 2))
        image = Image.fromarray(coarse.astype(np.float32))
        found += np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    return found


def add(workspace: Workspace, width: int, height: int) -> str:
    """Put the made-up picture into a workspace; returns its id."""
    relevance = heatmap(height, width)
    grey = (128 + 20 * relevance).clip(0, 255).astype(np.uint8)
    image = np.repeat(grey[..., None], 3, axis=2)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    settings = commands.settings_of("magnetic-tile", thresholder="fraction", refiner="none")
    found = [Found("damaged", 0.98, True, True, relevance)]
    result = Result.of(image, settings, found)
    item = workspace.add(NAME, file.getvalue(), settings, result=result)
    workspace.set_truth(item.id, relevance > 1.5)
    return item.id


def measure(page: Page, title: str, what: str, steps: int = STEPS) -> None:
    """Do something again and again, and print a line about it."""
    found = page.evaluate(SCRIPT, [what, steps])
    times, exact, settled = (found[name] for name in ("times", "exact", "settled"))
    line = f"{title:44} {statistics.median(times):7.0f} {max(times):7.0f} {steps:5}"
    if what == "spots":
        line += f"   exact after {statistics.median(exact):.0f}, "
        line += f"at any threshold after {statistics.median(settled):.0f}"
    print(line, flush=True)


def work(page: Page) -> None:
    """What is done to the picture, one thing after the other."""
    measure(page, "threshold", "threshold")
    measure(page, "zoom", "zoom")
    page.keyboard.press("0")
    for title, tool in (("brush", "b"), ("eraser", "e")):
        page.keyboard.press(tool)
        measure(page, f"{title}: press", "press", 1)
        measure(page, f"{title}: move", "move")
        measure(page, f"{title}: let go", "release", 1)
    measure(page, "undo of a stroke", "undo", 2)
    page.keyboard.press("x")
    measure(page, "delete a spot by a click", "tap", 5)
    measure(page, "undo of it", "undo", 5)
    measure(page, "smallest spot", "spots", 4)
    measure(page, "threshold, with a smallest spot", "threshold")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="6000x4000", help="WIDTHxHEIGHT of the picture")
    parser.add_argument("--ratio", type=float, default=1, help="device pixels for a CSS pixel")
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    with (
        tempfile.TemporaryDirectory() as folder,
        do.running(Path(folder)) as running,
        chromium() as browser,
    ):
        add(running.service.sessions.open()[1], width, height)
        with do.opened(browser, running.url, given.ratio) as page:
            do.show(page, NAME)
            where = f"{width}x{height} in a window of 1440x900, ratio {given.ratio:g}"
            print(f"{where:44}  median   worst    of")
            page.get_by_test_id("canvas").click(position={"x": 1, "y": 1}, button="right")
            work(page)


if __name__ == "__main__":
    main()
