"""The encoder beside timm's, whose names of weights it has."""

import pytest
import torch
from torch import Tensor

from lrpseg.models.vit import GRID, PATCH, VisionTransformer


def random_state(model: torch.nn.Module, seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return {k: torch.randn_like(v) * 0.1 for k, v in model.state_dict().items()}


@pytest.mark.parametrize("size", [(4 * PATCH, 6 * PATCH), (GRID * PATCH, GRID * PATCH)])
def test_tokens_are_those_of_timm(size: tuple[int, int]) -> None:
    timm = pytest.importorskip("timm")
    theirs = timm.create_model(
        "vit_small_patch14_dinov2", pretrained=False, dynamic_img_size=True, depth=3
    ).eval()
    state = random_state(theirs)
    theirs.load_state_dict(state)
    ours = VisionTransformer(depth=3).eval()
    ours.load_state_dict({k: v for k, v in state.items() if not k.startswith("norm.")})
    x = torch.randn(2, 3, *size)
    with torch.no_grad():
        wanted = theirs.forward_intermediates(
            x, indices=3, intermediates_only=True, output_fmt="NCHW"
        )
        found = ours(x)
    assert len(found) == 3
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == (2, size[0] // PATCH, size[1] // PATCH, 384)
        assert torch.allclose(one, other.permute(0, 2, 3, 1), atol=1e-4, rtol=1e-4)


def test_fewer_blocks_give_what_the_first_of_all_do() -> None:
    long, short = VisionTransformer(4, 24, 3), VisionTransformer(2, 24, 3)
    state = random_state(long)
    long.load_state_dict(state)
    short.load_state_dict({k: state[k] for k in short.state_dict()})
    x = torch.randn(1, 3, 2 * PATCH, 3 * PATCH)
    with torch.no_grad():
        for one, other in zip(short(x), long(x)[:2], strict=True):
            assert torch.equal(one, other)
    assert short.width == 24
