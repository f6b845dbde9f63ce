"""A recipe: all that decides a shipped file, in one TOML file (`training/recipes/*.toml`).

kind = "classifier"            # a name in KINDS
domain = "magnetic-tile"       # a name, or a folder relative to the file
network = "one-fc"
precision = "8-bit"            # a name in PRECISIONS (default: fp16)
below = "vgg-a.safetensors"    # a shared file, with which it has layers in common (default: none)
[card]                         # what people wrote for the model card
[[training]]                   # one or more, each from the best epoch of the one before
[calibration]
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrpseg.core.errors import OptionError
from lrpseg.core.registry import Registry
from lrpseg.domains import DOMAIN_FILE
from lrpseg.models.networks import NETWORKS
from lrpseg.models.precision import FP16, PRECISIONS
from training.loops import self_train, train, train_unet
from training.loops.loop import Plan
from training.shipping.tables import RecipeError, read_table

START, BEFORE = "start", "before"
"""Starting weights: the file of --start, or else the recipe's `below`; and the best epoch of the
training before."""

WEIGHTS, DOMAIN = "weights", "domain"
"""Where a calibration goes: into the weights, or into `domain.json`."""


@dataclass(frozen=True)
class Kind:
    """One kind of training: its configuration, what runs it, and the weights file that it leaves in
    its folder. measured: it becomes a network of the domain, which is calibrated and measured."""

    config: type[Plan]
    run: Callable[[Any, Path, Path, bool, str], object]
    weights: str
    measured: bool = True


KINDS: Registry[Kind] = Registry("kind of training")
KINDS.add("classifier", Kind(train.Config, train.main, train.BEST))
KINDS.add("self-trained", Kind(self_train.Config, self_train.run, self_train.FILE))
KINDS.add("unet", Kind(train_unet.Config, train_unet.main, train_unet.BEST, measured=False))


@dataclass(frozen=True)
class CalibrationPlan:
    """into: `WEIGHTS` or `DOMAIN`. offset: fit an offset too; without it no picture changes
    sides."""

    into: str = DOMAIN
    offset: bool = False

    def __post_init__(self) -> None:
        if self.into not in (WEIGHTS, DOMAIN):
            raise OptionError(f"into is {WEIGHTS!r} or {DOMAIN!r}, not {self.into!r}.")


@dataclass(frozen=True, kw_only=True)
class CardTexts:
    """What people wrote for the model card: Markdown. purpose: what it is, and what it is for.
    training: what the tables of the recipe do not say. limits: a sentence or two each."""

    title: str
    purpose: str
    data: str
    training: str = ""
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """name: of the file. text: the file as it is. trainings: configurations of `kind`, in order.
    precision: in which its weights are stored. below: a file that domains share, which holds the
    layers that the trainings freeze; "": none."""

    name: str
    text: str
    kind: str
    domain: str
    network: str
    trainings: tuple[Plan, ...]
    card: CardTexts
    calibration: CalibrationPlan | None
    precision: str = FP16
    below: str = ""


@dataclass(frozen=True, kw_only=True)
class _File:
    """The keys of the file; tables are read each for itself."""

    kind: str
    domain: str
    network: str
    precision: str = FP16
    below: str = ""

    def __post_init__(self) -> None:
        PRECISIONS[self.precision]
        if Path(self.below).name != self.below:
            raise OptionError(f"below names a file without a folder, not {self.below!r}.")


def read_recipe(path: Path) -> Recipe:
    """The recipe in a file.

    Raises:
        RecipeError: it cannot be read, has an unknown key or section, lacks one, or holds a value
            that does not fit; the message names file and key.
    """
    try:
        text = path.read_text("utf-8")
        held: dict[str, Any] = tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path} cannot be read: {error}.") from error
    sections = {name: held.pop(name, None) for name in ("card", "training", "calibration")}
    file = read_table(_File, held, path, "the file")
    if file.kind not in KINDS:
        raise RecipeError(f"{path}: kind is {file.kind!r}; choose one of {', '.join(KINDS)}.")
    kind = KINDS[file.kind]
    if kind.measured and file.network not in NETWORKS:
        raise RecipeError(
            f"{path}: network is {file.network!r}; choose one of {', '.join(NETWORKS)}."
        )
    for name in ("card", "training"):
        if not sections[name]:
            written = "[[training]]" if name == "training" else f"[{name}]"
            raise RecipeError(f"{path}: the section {written} is missing.")
    if not isinstance(sections["training"], list):
        raise RecipeError(f"{path}: [training] is written [[training]]: there may be several.")
    beside = path.parent / file.domain
    domain = str(beside) if (beside / DOMAIN_FILE).is_file() else file.domain
    fixed = {"domain": domain}
    if "network" in kind.config.__dataclass_fields__:
        fixed["network"] = file.network
    trainings = tuple(
        read_table(kind.config, table, path, f"[[training]] {i}", **fixed)
        for i, table in enumerate(sections["training"], 1)
    )
    calibration = None
    if file.kind == "classifier":
        table = sections["calibration"] or {}
        calibration = read_table(CalibrationPlan, table, path, "[calibration]")
    elif sections["calibration"] is not None:
        raise RecipeError(f"{path}: [calibration] is for classifiers; a {file.kind} has none.")
    return Recipe(
        name=path.stem,
        text=text,
        kind=file.kind,
        domain=domain,
        network=file.network,
        trainings=trainings,
        card=read_table(CardTexts, sections["card"], path, "[card]"),
        calibration=calibration,
        precision=file.precision,
        below=file.below,
    )
