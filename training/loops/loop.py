"""One training, whatever is trained: epochs, schedule, averaged weights, resuming, the best epoch.

On one device or many (`torchrun`), with a log for TensorBoard. What is trained is a `Task`.
"""

import json
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from lrpseg.core.errors import LrpsegError, OptionError
from lrpseg.core.registry import Registry
from lrpseg.domains import Normalisation
from lrpseg.masks.render import save_text
from training.loops.resuming import plain, save_state

if TYPE_CHECKING:
    from lightning_fabric import Fabric

SCHEDULES: Registry[Callable[[float], float]] = Registry("schedule")
"""From the share of the training that is done, 0 to 1, to the factor of all learning rates: a pure
function, so that resuming is exact."""
SCHEDULES.add("constant", lambda share: 1.0)
SCHEDULES.add("cosine", lambda share: 0.5 * (1 + math.cos(math.pi * share)))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a configuration says about the training itself.

    crops: of an epoch. batch: crops of a step. weight_decay: of AdamW. schedule: a name in
    `SCHEDULES`. ema: decay per step of the averaged weights that are validated and kept; 0: none.
    stop: epochs after which it ends, which no schedule looks at; 0: after all. precision:
    Lightning Fabric's.
    """

    epochs: int = 20
    crops: int = 128
    batch: int = 8
    weight_decay: float = 1e-4
    schedule: str = "cosine"
    ema: float = 0.0
    stop: int = 0
    seed: int = 0
    precision: str = "32-true"

    def __post_init__(self) -> None:
        SCHEDULES[self.schedule]
        if min(self.epochs, self.crops, self.batch) < 1 or self.stop < 0 or self.seed < 0:
            raise OptionError(
                "epochs, crops and batch are 1 or more, stop and seed 0 or more; they are "
                f"{self.epochs}, {self.crops}, {self.batch}, {self.stop} and {self.seed}."
            )
        if not 0 <= self.ema < 1:
            raise OptionError(f"ema is 0 (none) or more, and less than 1; it is {self.ema}.")


class Crops(Protocol):
    """A data set whose crops are fixed by the epoch: (image (H, W, 3) uint8, targets ...)."""

    epoch: int

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Judged:
    """An epoch: its figures by name, and how good it is (larger is better); a rank of None: nothing
    is chosen, and the last epoch is kept. text: the figures in one line."""

    figures: dict[str, float]
    rank: tuple[float, ...] | None
    text: str


class Task(ABC):
    """What is trained.

    network: trained in place. crops: what it sees. normalise: of its input, the domain's own.
    """

    network: nn.Module
    crops: Crops
    normalise: Normalisation

    @abstractmethod
    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """(parameters, learning rate) of each group."""

    @abstractmethod
    def loss(self, outputs: Tensor, *targets: Tensor) -> Tensor:
        """From the network's outputs and the targets of a batch to a number."""

    @abstractmethod
    def judge(self, network: nn.Module) -> Judged:
        """Score `network`, which is this task's or one of averaged weights."""

    @abstractmethod
    def save(self, network: nn.Module) -> None:
        """Keep the weights, as those of the best epoch so far."""


def make_fabric(plan: Plan, out: Path, accelerator: str) -> "Fabric":
    """Lightning Fabric for one process or those of `torchrun`, with a log for TensorBoard."""
    # With it come all of torch's compilers: seconds and 150 MB that only a training needs.
    from lightning_fabric import Fabric
    from lightning_fabric.loggers import TensorBoardLogger

    out.mkdir(parents=True, exist_ok=True)
    fabric = Fabric(
        accelerator=accelerator,
        devices=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        precision=plan.precision,
        loggers=TensorBoardLogger(root_dir=out, name="log", version=""),
    )
    fabric.launch()
    return fabric


def train(
    fabric: "Fabric", task: Task, plan: Plan, out: Path, resume: bool
) -> list[dict[str, Any]]:
    """Train as the plan says, and return each epoch's figures.

    Args:
        out: where last.ckpt is written after each epoch; with `resume` training goes on from it.

    Raises:
        LrpsegError: last.ckpt was made with other settings.
    """
    raw = task.network.to(memory_format=torch.channels_last)
    groups: list[dict[str, Any]] = [{"params": p, "lr": rate} for p, rate in task.groups()]
    adamw: Any = torch.optim.AdamW(groups, weight_decay=plan.weight_decay)
    rates = [group["lr"] for group in groups]
    model, optimizer = fabric.setup(raw, adamw)
    averaged = None
    if plan.ema > 0:
        # A small val split makes single epochs jump; averaged weights are steadier.
        averaged = AveragedModel(raw, multi_avg_fn=get_ema_multi_avg_fn(plan.ema))
    judged = raw if averaged is None else averaged.module
    first, history = 0, []
    best: tuple[float, ...] | None = None
    last = out / "last.ckpt"
    if resume and last.is_file():
        state = fabric.load(last)
        _check(state["config"], plan, last)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if averaged is not None:
            averaged.load_state_dict(state["averaged"])
        first, history = state["epoch"], state["history"]
        best = None if state["best"] is None else tuple(state["best"])
        fabric.print(f"Resumed after epoch {first}.")
    end = min(plan.epochs, plan.stop or plan.epochs)
    for epoch in range(first, end):
        task.crops.epoch = epoch
        torch.manual_seed(plan.seed * 100_003 + epoch)  # dropout: the same after a resume
        dataset: Dataset = task.crops  # type: ignore[assignment]
        loader: Any = fabric.setup_dataloaders(DataLoader(dataset, batch_size=plan.batch))
        loss = _one_epoch(fabric, task, model, optimizer, rates, loader, plan, epoch, averaged)
        # Validation runs at the training's precision; the figures of the stored file do not.
        with fabric.autocast():
            found = task.judge(judged)
        history.append({"epoch": epoch + 1, "train_loss": loss, **found.figures})
        fabric.log_dict({"train/loss": loss, **found.figures}, epoch)
        if found.rank is None:
            improved = epoch + 1 == end
        else:
            improved = best is None or found.rank > best
            best = found.rank if improved else best
        mark = "  *" if improved else ""
        fabric.print(f"epoch {epoch + 1}: loss {loss:.4f};  {found.text}{mark}")
        if improved and fabric.is_global_zero:
            task.save(judged)
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "averaged": None if averaged is None else averaged.state_dict(),
            "config": plain(plan),
            "epoch": epoch + 1,
            "best": None if best is None else list(best),
            "history": history,
        }
        save_state(fabric, last, state)
    return history


def _check(made: dict[str, Any], plan: Plan, last: Path) -> None:
    """Raise `LrpsegError` where the state was `made` with other settings than the plan's."""
    # More epochs do not change those that are done, unless the rate falls towards the last.
    free = {"stop"} | ({"epochs"} if plan.schedule == "constant" else set())
    wanted = plain(plan)
    # What it was made with before there was such a setting is the setting's default.
    made = {f.name: f.default for f in fields(plan) if f.default is not MISSING} | made
    if {k: v for k, v in made.items() if k not in free} != {
        k: v for k, v in wanted.items() if k not in free
    }:
        raise LrpsegError(f"{last} was made with other settings; use another --out.")


def _one_epoch(
    fabric: "Fabric",
    task: Task,
    model: Any,
    optimizer: Any,
    rates: Iterable[float],
    loader: DataLoader,
    plan: Plan,
    epoch: int,
    averaged: AveragedModel | None,
) -> float:
    """One pass over the loader; returns the mean loss."""
    model.train()
    for module in model.modules():  # what is frozen counts no batches either
        own = list(module.parameters(recurse=False))
        if own and not any(p.requires_grad for p in own):
            module.eval()
    total = torch.zeros((), device=fabric.device)
    bar = tqdm(loader, desc=f"epoch {epoch + 1}/{plan.epochs}", disable=not fabric.is_global_zero)
    for i, (images, *targets) in enumerate(bar):  # images (B, side, side, 3) uint8
        share = (epoch * len(loader) + i) / (plan.epochs * len(loader))
        factor = SCHEDULES[plan.schedule](share)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        x = task.normalise(images).contiguous(memory_format=torch.channels_last)
        loss = task.loss(model(x).float(), *targets)
        optimizer.zero_grad(set_to_none=True)
        fabric.backward(loss)
        optimizer.step()
        if averaged is not None:
            averaged.update_parameters(model)
        total += loss.detach()  # stays on the device: no wait in the loop
    return float(total) / max(1, len(loader))


def told(named: Mapping[str, float]) -> str:
    """Figures in one line."""
    return "  ".join(f"{name} {value:.4f}" for name, value in named.items())


def write_metrics(
    plan: Plan, final: Mapping[str, float], history: list[dict[str, Any]], out: Path
) -> None:
    """metrics.json: the settings, the figures of the stored file, and each epoch's."""
    report = {"config": plain(plan), "val": dict(final), "history": history}
    save_text(json.dumps(report, indent=1), out / "metrics.json")


def read_metrics(out: Path) -> dict[str, Any]:
    """What `write_metrics` wrote."""
    held: dict[str, Any] = json.loads((out / "metrics.json").read_text("utf-8"))
    return held
