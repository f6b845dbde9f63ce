"""The witness itself: from a picture to what it says of it."""

import json
from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lrpseg.core.errors import CheckpointError
from lrpseg.models.precision import EIGHT_BITS
from lrpseg.models.tensors import checkpoint_hash, read_tensors, save_tensors
from lrpseg.models.vit import VisionTransformer
from lrpseg.witness.judges import JUDGES, Judge
from lrpseg.witness.nearest import highest
from lrpseg.witness.space import Space
from lrpseg.witness.tokens import PatchTokens
from lrpseg.witness.verdict import Verdict

Map = NDArray[np.float32]


@dataclass(frozen=True)
class WitnessFiles:
    """What a domain's `domain.json` says of its witness.

    encoder: weights of the vision transformer, which domains share. judge: what judges patches.
    judge_weights, encoder_weights: SHA-256 of both in hexadecimal, for which the verdict was
    fitted.
    """

    encoder: Path
    judge: Path
    encoder_weights: str
    judge_weights: str
    verdict: Verdict

    def __str__(self) -> str:
        """In short, as keys of what was found with it hold it."""
        numbers = ",".join(f"{v:g}" for v in (*self.verdict.alone, *self.verdict.together))
        return f"{self.encoder_weights[:16]}-{self.judge_weights[:16]}-{numbers}"


@dataclass(frozen=True, eq=False)
class Testimony:
    """What the witness says of a picture: score, higher where more damage is seen, and the values
    (h, w) float32 of its patches, which cover the picture evenly."""

    score: float
    patches: Map


@dataclass(frozen=True, eq=False)
class Witness:
    """Looks at pictures; thread-safe, as it changes nothing."""

    tokens: PatchTokens
    judge: Judge
    verdict: Verdict

    def __call__(self, pixels: NDArray[np.uint8]) -> Testimony:
        """What it says of (H, W, 3) uint8 RGB."""
        steps = self.steps(pixels)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                testimony: Testimony = end.value
                return testimony

    def steps(self, pixels: NDArray[np.uint8]) -> Generator[tuple[int, int], None, Testimony]:
        """The same, some windows at a time: yields (windows done, windows in all) after each few.

        Each window is judged as a picture by itself, and the picture by the one that looks worst.
        """
        patches = np.zeros(self.tokens.patches(pixels.shape), np.float32)
        batches = self.tokens.batches(pixels.shape)
        score, done, total = -np.inf, 0, sum(map(len, batches))
        for places in batches:
            seen = self.tokens.windows(pixels, places)
            tokens = seen - seen.mean(dim=(1, 2), keepdim=True)
            values = self.judge(tokens.flatten(0, 2)).reshape(tokens.shape[:3]).float().cpu()
            for (rows, columns), part in zip(places, values, strict=True):
                patches[rows.kept, columns.kept] = part[rows.inside, columns.inside].numpy()
                score = max(score, highest(part))
            done += len(places)
            yield done, total
        return Testimony(float(score), patches)


def load_witness(files: WitnessFiles, device: torch.device) -> Witness:
    """The witness of a domain, on a device.

    Raises:
        CheckpointError: weights are missing, damaged, or not those for which the verdict was
            fitted.
    """
    for path, wanted in (
        (files.encoder, files.encoder_weights), (files.judge, files.judge_weights),
    ):  # fmt: skip
        if checkpoint_hash(path) != wanted:
            raise CheckpointError(
                f"{path} is not what the witness in domain.json was fitted with. Fetch it with the "
                "project's files, or fit the witness again with `python -m training.witness`."
            )
    judge, about = read_judge(files.judge)
    sees = json.loads(about["sees"])
    encoder = _encoder(files.encoder, files.encoder_weights, max(sees["blocks"]), device)
    tokens = PatchTokens(encoder, tuple(sees["blocks"]), sees["enlarged"])
    return Witness(tokens, judge.to(device), files.verdict)


@lru_cache(maxsize=2)
def _encoder(path: Path, weights: str, depth: int, device: torch.device) -> VisionTransformer:
    """Domains share it."""
    return load_encoder(path, depth).to(device)


def load_encoder(path: Path, depth: int) -> VisionTransformer:
    """The first blocks of the vision transformer in a safetensors file, with timm's names.

    Raises `CheckpointError` where the file is missing or damaged, or holds no such network.
    """
    held, _ = read_tensors(path)
    width = held["cls_token"].shape[-1] if "cls_token" in held else 384
    model = VisionTransformer(depth, width, max(1, width // 64))
    wanted = model.state_dict()
    lacking = wanted.keys() - held.keys()
    if lacking:
        raise CheckpointError(f"{path} holds no ViT-S/14: it lacks {min(lacking)}.")
    try:
        model.load_state_dict({name: held[name].float() for name in wanted})
    except RuntimeError as error:
        raise CheckpointError(f"{path} holds no ViT-S/14: {error}") from error
    return model.eval().requires_grad_(False)


SPACE = ("scale", "mean", "components", "spread")


def save_judge(judge: Judge, sees: PatchTokens, path: Path) -> None:
    """Write what judges patches, and how they are seen, as safetensors in 8 bits; atomically."""
    tensors = {f"space.{name}": getattr(judge.space, name) for name in SPACE} | judge.tensors()
    about = {"blocks": list(sees.blocks), "enlarged": sees.enlarged}
    name = next(name for name, kind in JUDGES.items() if isinstance(judge, kind))
    save_tensors(tensors, {"judge": name, "sees": json.dumps(about)}, path, EIGHT_BITS)


def read_judge(path: Path) -> tuple[Judge, dict[str, str]]:
    """What `save_judge` wrote, and the file's metadata; raises `CheckpointError`."""
    held, about = read_tensors(path)
    try:
        space = Space(*(held[f"space.{name}"].float() for name in SPACE))
        return JUDGES[about["judge"]].of(space, held), about
    except KeyError as error:
        raise CheckpointError(f"{path} holds no witness: it lacks {error}.") from error
