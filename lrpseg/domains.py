"""Domains: what is inspected, with its class names, normalisation and checkpoints."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lrpseg.errors import CheckpointError, OptionError
from lrpseg.networks import NETWORKS

DOMAIN_FILE = "domain.json"


@dataclass(frozen=True)
class Normalisation:
    """Per-channel mean and standard deviation of RGB values scaled to [0, 1]."""

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __call__(self, images: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 to (B, 3, H, W) float32, on the device where `images` is."""
        mean = torch.tensor(self.mean, device=images.device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, device=images.device).view(1, 3, 1, 1)
        return (images.permute(0, 3, 1, 2).float() / 255 - mean) / std

    def bounds(self) -> tuple[Tensor, Tensor]:
        """Lowest and highest normalised value of a pixel, (1, 3, 1, 1) float64: the z^B box."""
        mean = torch.tensor(self.mean, dtype=torch.float64).view(1, 3, 1, 1)
        std = torch.tensor(self.std, dtype=torch.float64).view(1, 3, 1, 1)
        return (0 - mean) / std, (1 - mean) / std


@dataclass(frozen=True)
class Domain:
    """What is inspected. `checkpoints` maps a network's name to its weights file."""

    name: str
    folder: Path
    title: str
    classes: tuple[str, str]
    normalisation: Normalisation
    checkpoints: dict[str, Path]

    def checkpoint(self, network: str) -> Path:
        """The weights file of `network`; raises `OptionError` or `CheckpointError`."""
        NETWORKS[network]
        if network not in self.checkpoints:
            have = ", ".join(self.checkpoints) or "none"
            raise CheckpointError(
                f"The domain {self.name!r} has no checkpoint of the network {network!r} "
                f"(it has: {have}). Train one with `python -m training.train`."
            )
        return self.checkpoints[network]


def assets_folder() -> Path:
    """Where shipped files are: $LRPSEG_ASSETS, else inside the package, else beside it."""
    if os.environ.get("LRPSEG_ASSETS"):
        return Path(os.environ["LRPSEG_ASSETS"])
    packaged = Path(__file__).parent / "assets"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "assets"


def list_domains(assets: Path | None = None) -> list[str]:
    """Names of the domains whose folder under `assets` holds a `domain.json`."""
    folder = assets or assets_folder()
    return sorted(p.parent.name for p in folder.glob(f"*/{DOMAIN_FILE}"))


def load_domain(name: str | os.PathLike[str], assets: Path | None = None) -> Domain:
    """The domain called `name`, or the one whose `domain.json` lies in the folder `name`.

    Raises:
        OptionError: there is no such domain, or its `domain.json` cannot be used.
    """
    folder = Path(name)
    if not (folder / DOMAIN_FILE).is_file():
        known = list_domains(assets)
        if str(name) not in known:
            raise OptionError(
                f"There is no domain {str(name)!r}. Choose one of: {', '.join(known) or 'none'}; "
                f"or give a folder that holds a {DOMAIN_FILE}."
            )
        folder = (assets or assets_folder()) / name
    path = folder / DOMAIN_FILE
    try:
        return _parse(folder, json.loads(path.read_text("utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OptionError(
            f"{path} cannot be used: {error!r}. Compare it with a shipped one."
        ) from error


def _parse(folder: Path, entry: dict[str, Any]) -> Domain:
    intact, damaged = entry["classes"]
    mean, std = entry["normalisation"]["mean"], entry["normalisation"]["std"]
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise ValueError("normalisation needs three means and three positive deviations")
    checkpoints = {network: folder / file for network, file in entry["checkpoints"].items()}
    for path in checkpoints.values():
        if path.parent != folder:
            raise ValueError(f"checkpoint {path.name} must lie beside {DOMAIN_FILE}")
    return Domain(
        name=folder.name,
        folder=folder,
        title=str(entry["title"]),
        classes=(str(intact), str(damaged)),
        normalisation=Normalisation(_triple(mean), _triple(std)),
        checkpoints=checkpoints,
    )


def _triple(values: list[float]) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue
