"""Many clients with settings of their own beside two tabs that draw: each map is that of a
single-user run, and each stroke that was confirmed is stored."""

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page

import lrpseg
from lrpseg.domains import load_domain
from lrpseg.lrp import RULE_SETS
from lrpseg.masks.render import heatmap
from lrpseg.pipeline.results import Result
from lrpseg.refiners import REFINERS
from lrpseg.thresholders import THRESHOLDERS
from lrpseg.workspace import Workspace
from tests import page_support as do
from tests.browser_support import chromium
from tests.soak import children
from tests.soak.rows import Plan, Row, counted
from tests.soak.visitor import Visitor, decoded

CLIENTS, FEW = 16, 3
DOMAIN = "magnetic-tile"
DRAWN = do.SAMPLES / "6-wide.png"
STEP, LONG = 12, 40
"""Rows between two strokes, and columns of one: no two of a tab touch."""


@dataclass(frozen=True)
class Choice:
    """What one call asks for."""

    picture: Path
    network: str
    rule_set: str
    thresholder: str
    refiner: str

    @property
    def names(self) -> dict[str, str]:
        return {n: v for n, v in vars(self).items() if n != "picture"}


Told = Counter[tuple[Choice, bool, str]]
"""How often each answer came: of a choice, by the stateless endpoint or not, as a digest."""


def run(plan: Plan) -> list[Row]:
    """A row, of a page in a process of its own."""
    ws, log = plan.folder / "load", plan.folder / "load.txt"
    with chromium() as browser, children.serving(plan, log, children.serve, ws) as url:
        return use(plan, browser, url, ws)


def use(plan: Plan, browser: Browser, url: str, ws: Path) -> list[Row]:
    """A row, of the page at `url` with the workspace `ws`."""
    expected = cache(_expected)
    with ExitStack() as stack:
        visitor = Visitor(url)
        id = visitor.add("drawn.png", DRAWN.read_bytes(), network="one-fc")["id"]
        visitor.analysed(id)
        tabs = [stack.enter_context(do.opened(browser, url)) for _ in range(2)]
        for tab in tabs:
            do.show(tab, "drawn.png")
        told, stop, failures = Counter[Any](), threading.Event(), list[str]()
        clients = FEW if plan.short else CLIENTS
        with ThreadPoolExecutor(clients) as pool:
            work = [pool.submit(_client, plan, url, n, stop) for n in range(clients)]
            try:
                strokes, lost, longest = _draw(plan, tabs, Workspace(ws), id)
            finally:
                stop.set()
            for client in work:
                try:
                    told.update(client.result())
                except Exception as error:
                    failures.append(f"a client ends with {error!r}: seed {plan.seed}")
    wrong = {key: n for key, n in told.items() if key[2] != _digest(expected, *key[:2])}
    failures += [f"{choice} gives another map: seed {plan.seed}" for choice, *_ in wrong]
    failures += [f"a confirmed stroke in row {y} is lost: seed {plan.seed}" for y in lost]
    tried = f"{clients} clients with mixed settings, 2 tabs that draw"
    unequal, all_ = sum(wrong.values()), told.total()
    held = (
        f"{counted(all_ - unequal, 'map')} equal to a single-user run's, {unequal} unequal; "
        f"{strokes} strokes confirmed, {len(lost)} lost, {longest:.1f} s for the slowest"
    )
    return [Row("load", tried, held, failures)]


def _client(plan: Plan, url: str, number: int, stop: threading.Event) -> Told:
    """One program, with a picture, a network and a rule set of its own; thresholder and refiner
    change with each call. Each second one goes by the workspace."""
    chance, visitor, told = plan.random("client", number), Visitor(url), Counter[Any]()
    pictures = sorted(p for p in do.SAMPLES.glob("*.png") if "concrete" not in p.name)
    networks = [*load_domain(DOMAIN).checkpoints]
    network, rule_set = networks[number % len(networks)], chance.choice([*RULE_SETS])
    of_all = Choice(chance.choice(pictures), network, rule_set, "", "")
    for turn in count():
        if stop.is_set() and turn:
            return told
        thresholder, refiner = chance.choice([*THRESHOLDERS]), chance.choice([*REFINERS])
        choice = replace(of_all, thresholder=thresholder, refiner=refiner)
        if number % 2:
            data = choice.picture.read_bytes()
            id = visitor.add(f"{number}-{turn}.png", data, DOMAIN, **choice.names)["id"]
            assert visitor.analysed(id)["status"] != "failed"
            told[choice, False, digest(visitor.mask(id))] += 1
            visitor.call("delete_image", visitor.token, id)
        else:
            probability, heat, mask = visitor.segment(choice.picture, DOMAIN, **choice.names)
            maps = decoded(heat), decoded(mask).reshape(*decoded(heat).shape[:2], -1)[..., 0] > 0
            told[choice, True, digest(*maps, np.float64(round(probability, 5)))] += 1
    raise AssertionError


def digest(*arrays: Any) -> str:
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _expected(picture: Path, network: str, rule_set: str, stateless: bool) -> Result:
    """What a run alone gives, in this process."""
    segmenter = lrpseg.load(DOMAIN, network=network, rule_set=rule_set, device="cpu")
    return segmenter(picture, explain_intact=stateless)


def _digest(expected: Callable[..., Result], choice: Choice, stateless: bool) -> str:
    """That of the answer which a run alone would have given."""
    of = (choice.picture, choice.network, choice.rule_set, stateless)
    result = expected(*of).using(choice.thresholder, choice.refiner)
    if not stateless:
        return digest(result.mask)
    return digest(heatmap(result), result.mask, np.float64(round(result.probability, 5)))


def _draw(
    plan: Plan, tabs: list[Page], workspace: Workspace, id: str
) -> tuple[int, list[int], float]:
    """Draw in both tabs at once, over and over; returns (strokes confirmed, rows of those that are
    not stored, seconds for the slowest to be confirmed)."""
    lost, longest, strokes = list[int](), 0.0, 0
    end = time.monotonic() + plan.seconds
    item = workspace.item(id)
    rows, columns = item.height // STEP - 1, item.width // 2 // LONG
    for number in count():
        turn, place = divmod(number, rows * columns)
        if time.monotonic() > end and number >= (2 if plan.short else 20):
            return strokes, lost, longest
        y, column = (place % rows + 1) * STEP, place // rows
        begun = time.monotonic()
        for half, tab in enumerate(tabs):
            if place == 0:
                tab.get_by_test_id(f"tool-{'eraser' if turn % 2 else 'brush'}").click()
            x = half * item.width // 2 + column * LONG + 10
            do.stroke(tab, (x, y), (x + LONG - 20, y))
        for tab in tabs:
            do.saved(tab)
        longest = max(longest, time.monotonic() - begun)
        stored = workspace.corrections(id)
        for half in range(2):
            x, strokes = half * item.width // 2 + column * LONG + 10, strokes + 1
            if not (stored[y, x : x + LONG - 19] == 1 + turn % 2).all():
                lost.append(y)
    raise AssertionError
