"""One training of a network that segments, whatever its crops and targets are.

Resumable, on one device or many.
"""

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from lrpseg.core.errors import LrpsegError
from lrpseg.domains import Normalisation
from lrpseg.masks.render import save_text
from training.loops.resuming import plain, save_state

Loss = Callable[..., Tensor]
"""From logits (B, 2, H, W) and the targets of the batch to a number."""

Validate = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a configuration says about the training itself."""

    epochs: int = 20
    crops: int = 128  # per epoch
    batch: int = 8
    lr: float = 1e-3
    weight_decay: float = 1e-4
    schedule: str = "cosine"
    seed: int = 0
    precision: str = "32-true"


class Crops(Protocol):
    """A data set whose crops are fixed by the epoch: (image (H, W, 3) uint8, targets ...)."""

    epoch: int

    def __len__(self) -> int: ...


def make_fabric(recipe: Recipe, out: Path, accelerator: str) -> Fabric:
    """Lightning Fabric for one process or those of `torchrun`, with a log for TensorBoard."""
    out.mkdir(parents=True, exist_ok=True)
    fabric = Fabric(
        accelerator=accelerator,
        devices=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        precision=recipe.precision,
        loggers=TensorBoardLogger(root_dir=out, name="log", version=""),
    )
    fabric.launch()
    return fabric


def train(
    fabric: Fabric,
    raw: nn.Module,
    recipe: Recipe,
    crops: Crops,
    loss_of: Loss,
    validate: Validate,
    save: Callable[[nn.Module], None],
    out: Path,
    resume: bool,
    best_by: str | None,
) -> list[dict[str, float]]:
    """Train what can be trained of `raw`, in place, and return each epoch's figures.

    Args:
        crops: a `Dataset` with an `epoch`.
        save: called after the epochs that are better than all before by the figure `best_by`; with
            None after the last one alone.
        out: where last.ckpt is written after each epoch; with `resume` training goes on from it.

    Raises:
        LrpsegError: last.ckpt was made with other settings.
    """
    raw.to(memory_format=torch.channels_last)
    decay = recipe.weight_decay
    weights = [p for p in raw.parameters() if p.requires_grad]
    adamw: Any = torch.optim.AdamW(weights, recipe.lr, weight_decay=decay)
    model, optimizer = fabric.setup(raw, adamw)
    first, best, history = 0, -1.0, []
    last = out / "last.ckpt"
    if resume and last.is_file():
        state = fabric.load(last)
        # More epochs do not change those that are done, unless the rate falls towards the last.
        more = {"epochs": recipe.epochs} if recipe.schedule == "constant" else {}
        if state["config"] | more != plain(recipe):
            raise LrpsegError(f"{last} was made with other settings; use another --out.")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first, best, history = state["epoch"], state["best"], state["history"]
        fabric.print(f"Resumed after epoch {first}.")
    for epoch in range(first, recipe.epochs):
        crops.epoch = epoch
        torch.manual_seed(recipe.seed * 100_003 + epoch)  # dropout: the same after a resume
        dataset: Dataset = crops  # type: ignore[assignment]
        loader: Any = fabric.setup_dataloaders(DataLoader(dataset, batch_size=recipe.batch))
        loss = _one_epoch(fabric, model, optimizer, loader, recipe, epoch, loss_of)
        # Validation runs at the training's precision; the final figures do not.
        with fabric.autocast():
            named = validate(raw)
        history.append({"epoch": epoch + 1, "train_loss": loss, **named})
        fabric.log_dict({"train/loss": loss, **named}, epoch)
        improved = epoch + 1 == recipe.epochs if best_by is None else named[best_by] > best
        shown = "  ".join(f"{name} {value:.4f}" for name, value in named.items())
        fabric.print(f"epoch {epoch + 1}: loss {loss:.4f}  {shown}{'  *' if improved else ''}")
        if improved and fabric.is_global_zero:
            save(raw)
        if best_by is not None:
            best = max(best, named[best_by])
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        state |= {"config": plain(recipe), "epoch": epoch + 1, "best": best, "history": history}
        save_state(fabric, last, state)
    return history


def _one_epoch(
    fabric: Fabric,
    model: Any,
    optimizer: Any,
    loader: DataLoader,
    recipe: Recipe,
    epoch: int,
    loss_of: Loss,
) -> float:
    """One pass over the loader; returns the mean loss."""
    normalise = Normalisation()
    model.train()
    total = torch.zeros((), device=fabric.device)
    bar = tqdm(loader, desc=f"epoch {epoch + 1}/{recipe.epochs}", disable=not fabric.is_global_zero)
    for i, (images, *targets) in enumerate(bar):
        if recipe.schedule == "cosine":  # a pure function of the step: resuming is exact
            share = (epoch + i / len(loader)) / recipe.epochs
            for group in optimizer.param_groups:
                group["lr"] = recipe.lr * 0.5 * (1 + math.cos(math.pi * share))
        x = normalise(images).contiguous(memory_format=torch.channels_last)
        loss = loss_of(model(x).float(), *targets)
        optimizer.zero_grad(set_to_none=True)
        fabric.backward(loss)
        optimizer.step()
        total += loss.detach()  # stays on the device: no wait in the loop
    return float(total) / len(loader)


def write_metrics(recipe: Recipe, final: dict[str, float], history: list, out: Path) -> None:
    """metrics.json: the settings, the figures of the stored file, and each epoch's."""
    report = {"config": plain(recipe), "val": final, "history": history}
    save_text(json.dumps(report, indent=1), out / "metrics.json")
