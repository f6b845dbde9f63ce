"""Learns from the corrections of a workspace: from its pictures to a new version of a domain."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import numpy as np
import torch

from lrpseg.core.devices import pick_device
from lrpseg.core.errors import LrpsegError, OptionError
from lrpseg.domains import Domain, load_domain
from lrpseg.learning.crops import Patch, patches
from lrpseg.learning.figures import figures_of, predict
from lrpseg.learning.source import base_of, corrected_items, load_corrected
from lrpseg.learning.tuning import Progress, Recipe, fine_tune
from lrpseg.learning.versions import NETWORK, REPORT, save_version
from lrpseg.masks.figures import Figures
from lrpseg.models.networks import load_pair
from lrpseg.models.self_trained import Decider
from lrpseg.version import __version__
from lrpseg.workspace import Item, Workspace

FEWEST = 4
"""Corrected pictures from which on some are held out to show what was learned."""

HOLD_OUT = 4
"""Of as many corrected pictures one is held out."""

OTHERS = 64
"""Pictures that nobody corrected, of which that many at most are looked at."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Learned:
    """A new version. before, after: figures on the held-out pictures, None where there are none;
    `after` is of a network that has not seen them, the stored one has learned from all."""

    domain: Domain
    pictures: int
    held_out: int
    before: Figures | None
    after: Figures | None


def learn(
    workspace: Workspace,
    domain: str | None = None,
    recipe: Recipe = Recipe(),  # noqa: B008 - frozen
    hold_out: int = HOLD_OUT,
    device: str = "auto",
    say: Say = lambda text: None,
    progress: Progress | None = None,
) -> Learned:
    """Fine-tune a domain's self-trained network on a workspace's corrected masks.

    Nothing is written before the new version is whole; the workspace is only read.

    Args:
        domain: its weights are where learning starts, also those of a learned version; None: the
            domain of the workspace's corrected pictures. The new version is numbered after the
            domain that has no base.
        hold_out: every n-th corrected picture is held out for the figures; 0: none.
        say: gets lines that tell what happens. progress: of the training at hand.

    Raises:
        LrpsegError: there is nothing to learn from.
        CheckpointError: the domain has no self-trained network.
    """
    if hold_out < 0 or hold_out == 1:
        raise OptionError("Hold out every 2nd picture or fewer, or 0 for none.")
    name, items = corrected_items(workspace, domain)
    start = load_domain(name)
    where = pick_device(device)
    if len(start.classes) > 1:
        raise LrpsegError(
            f"{start.title!r} tells {len(start.classes)} classes apart, and learning from "
            "corrections is for one. Choose a domain of one class: --domain NAME."
        )
    model = load_pair(start, NETWORK).to(where)
    random = np.random.default_rng(recipe.seed)
    whole, cut, damaged = [], [], []
    for item in items:
        try:
            c = load_corrected(workspace, item)
        except LrpsegError as error:  # its files are damaged: the others are there
            say(f"{item.name} is left out: {error}")
            continue
        whole.append(item)
        cut.append(patches(c.image, c.mask, c.changed, random))
        damaged.append(bool(c.mask.any()))
    items = whole
    if not items:
        raise LrpsegError("No corrected picture of the workspace can be read.")
    if not any(damaged):
        raise LrpsegError(
            "All corrected masks are empty. Correct pictures with damage too: from intact ones "
            "alone a network learns to find nothing."
        )
    say(f"{len(items)} corrected pictures of {name}, {sum(damaged)} of them with damage")

    others = _others(workspace, start, {item.sha256 for item in items}, random)
    say(f"{len(others)} other pictures of the workspace, on which it is to stay as it is")

    def tune(chosen: Sequence[list[Patch]]) -> Decider:
        return fine_tune(model, chosen, others, recipe, start.normalisation, where, progress)

    held = _held_out(damaged, hold_out)
    before = after = None
    if held:
        say(f"{len(held)} are held out; learning from the others, to see what it brings")
        rest = tune([p for i, p in enumerate(cut) if i not in held])
        before, after = (
            _measure(m, workspace, [items[i] for i in held], start, where) for m in (model, rest)
        )
        say(f"held out, before: {_told(before)}\nheld out, after:  {_told(after)}")
        if after.iou < before.iou:
            say("That is worse than before: correct more pictures, or stay with the one before.")
    else:
        say(f"Too few to hold some out (from {FEWEST} on): what learning brings cannot be shown.")
    say("learning from all")
    learned = tune(cut)
    report = {
        "base": (start.base or start).name,
        "start": name,
        "date": datetime.now(UTC).date().isoformat(),
        "pictures": [
            {"sha256": item.sha256, "damaged": d, "held_out": i in held}
            for i, (item, d) in enumerate(zip(items, damaged, strict=True))
        ],
        "held_out": {"before": asdict(before), "after": asdict(after)}
        if before and after
        else None,
        "other_pictures": len(others),
        "recipe": asdict(recipe),
        "lrpseg": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": where.type,
    }
    base = start.base or start
    title = (
        f"{base.title} (learned {{version}}, from {len(items)} corrected pictures, "
        f"{report['date']})"
    )
    made = save_version(base, learned.own, title, report, _card(title, report, before, after))
    return Learned(made, len(items), len(held), before, after)


def _held_out(damaged: Sequence[bool], every: int) -> frozenset[int]:
    """Indices of the pictures to hold out: every `every`-th of those with damage and of the others;
    none where there are too few, or nothing with damage would be left to learn from."""
    if not every or len(damaged) < FEWEST:
        return frozenset()
    kinds = [[i for i, d in enumerate(damaged) if d is kind] for kind in (True, False)]
    held = [i for kind in kinds for i in kind[every - 1 :: every]]
    if not held and len(kinds[0]) > 1:
        held = kinds[0][-1:]
    return frozenset(held)


def _others(
    workspace: Workspace, domain: Domain, corrected: set[str], random: np.random.Generator
) -> list[list[Patch]]:
    """Patches of up to `OTHERS` pictures of the workspace that nobody corrected."""
    base = (domain.base or domain).name
    found = [
        item
        for item in workspace.items()
        if item.width and item.sha256 not in corrected and base_of(item.settings.domain) == base
    ]
    cut = []
    for i in random.permutation(len(found))[:OTHERS]:
        try:
            image = workspace.image(found[i].id)
        except LrpsegError:  # damaged or deleted meanwhile; nobody counts on this one
            continue
        empty = np.zeros(image.shape[:2], bool)
        cut.append(patches(image, empty, empty, random))
    return cut


def _measure(
    model: Decider,
    workspace: Workspace,
    items: Sequence[Item],
    domain: Domain,
    device: torch.device,
) -> Figures:
    return figures_of(
        (predict(model, c.image, domain.normalisation, device), c.mask)
        for c in (load_corrected(workspace, item) for item in items)
    )


def _told(figures: Figures) -> str:
    return f"IoU {figures.iou:.3f}, precision {figures.precision:.3f}, recall {figures.recall:.3f}"


def _card(title: str, report: dict, before: Figures | None, after: Figures | None) -> str:
    held = sum(p["held_out"] for p in report["pictures"])
    measured = (
        f"On {held} corrected pictures that were held out: {_told(before)} before learning, "
        f"{_told(after)} after learning from the others. The stored network has learned from all; "
        "held-out pictures may show the same parts as those it learned from."
        if before and after
        else "Nothing was measured: there were too few corrected pictures to hold some out."
    )
    damaged = sum(p["damaged"] for p in report["pictures"])
    return f"""\
# Model card: {{name}}

{title}

`{NETWORK}.safetensors`, fp16: the self-trained network of `{report["start"]}`, fine-tuned with
`lrpseg learn` on {len(report["pictures"])} corrected masks of a workspace, {damaged} of them with
damage. `{REPORT}` lists their pictures by SHA-256, and the recipe.

{measured} No operating points were measured with it.
"""
