"""A witness of two narrow blocks, which costs nothing."""

import json
from functools import cache
from pathlib import Path

import torch

from lrpseg.models.tensors import checkpoint_hash, save_tensors
from lrpseg.models.vit import VisionTransformer
from lrpseg.witness.judges import Judge, Logistic, Nearest
from lrpseg.witness.space import Space
from lrpseg.witness.tokens import PatchTokens
from lrpseg.witness.verdict import Verdict
from lrpseg.witness.witness import save_judge

VERDICT = Verdict(alone=(2.0, -4.0), together=(3.0, 2.0, -5.0))


@cache
def _encoder() -> VisionTransformer:
    torch.manual_seed(3)
    return VisionTransformer(2, 12, 1).eval().requires_grad_(False)


def small_tokens() -> PatchTokens:
    return PatchTokens(_encoder(), (1, 2))


def small_judge(name: str) -> Judge:
    torch.manual_seed(4)
    space = Space.of(torch.randn(300, 24), 12, 6)
    if name == "nearest":
        return Nearest(space, torch.randn(40, 6))
    return Logistic(space, torch.randn(6), torch.randn(1))


def write_encoder(path: Path) -> None:
    save_tensors(_encoder().state_dict(), {}, path)


def give_witness(folder: Path, verdict: Verdict = VERDICT) -> None:
    """Give the domain in `folder` a witness, called dinov2, with an encoder beside it."""
    write_encoder(folder / "encoder.safetensors")
    save_judge(small_judge("nearest"), small_tokens(), folder / "witness.safetensors")
    path = folder / "domain.json"
    held = json.loads(path.read_text("utf-8"))
    held["witnesses"] = {
        "dinov2": {
            "encoder": "encoder.safetensors",
            "encoder_weights": checkpoint_hash(folder / "encoder.safetensors"),
            "judge": "witness.safetensors",
            "judge_weights": checkpoint_hash(folder / "witness.safetensors"),
            "alone": list(verdict.alone),
            "together": list(verdict.together),
        }
    }
    path.write_text(json.dumps(held), "utf-8")
