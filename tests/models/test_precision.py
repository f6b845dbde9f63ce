"""Weights in 8 bits: literal cases, against a slow reference, degenerate ones, there and back."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lrpseg.core.errors import CheckpointError, OptionError
from lrpseg.models import precision
from lrpseg.models.checkpoints import load_network, read_tensors, save_checkpoint
from lrpseg.models.precision import CUT, in_8_bits, plain, quantised
from lrpseg.models.tensors import fill, save_tensors
from lrpseg.models.vgg import VGG_A, Vgg


@pytest.fixture
def all_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "SMALL", 0)


def test_a_channel_gets_127_levels_to_each_side() -> None:
    values = torch.tensor([[1.27, -0.01, 0.5, 0.0], [-2.54, 0.02, 1.0, 0.02]])
    whole, scales = quantised(values)
    assert whole.dtype == torch.int8
    assert scales.dtype == torch.float32
    assert whole.tolist() == [[127, -1, 50, 0], [-127, 1, 50, 1]]
    assert torch.allclose(scales, torch.tensor([0.01, 0.02]), rtol=1e-6)


def test_names_shapes_and_types_of_what_is_stored(all_sizes: None) -> None:
    tensors = {
        "kernel": torch.ones(2, 3, 1, 1),
        "matrix": torch.ones(2, 2),
        "bias": torch.tensor([1e6, 0.1]),
        "count": torch.tensor(3),
    }
    stored = in_8_bits(tensors, fp16=["matrix"])
    assert {k: (v.dtype, tuple(v.shape)) for k, v in stored.items()} == {
        "kernel": (torch.int8, (2, 3, 1, 1)),
        "kernel.scale": (torch.float32, (2,)),
        "matrix": (torch.float16, (2, 2)),
        "bias": (torch.float32, (2,)),
        "count": (torch.int64, ()),
    }
    back = plain(stored)
    assert list(back) == list(tensors)
    assert all(torch.equal(back[k].double(), v.double()) for k, v in tensors.items())


def test_what_is_small_or_has_no_channels_stays_fp16() -> None:
    places = torch.ones(1, 400, 100)  # of a transformer's pictures: one scale would be for all
    stored = in_8_bits({"a": torch.ones(2, 4095), "b": torch.ones(2, 4096), "c": places})
    assert {k: v.dtype for k, v in stored.items()} == {
        "a": torch.float16,
        "b": torch.int8,
        "b.scale": torch.float32,
        "c": torch.float16,
    }


def slowly(row: list[float]) -> float:
    """The least squared error of any scale that `quantised` tries, value by value."""

    def whole(scale: float) -> list[int]:
        return [max(-127, min(127, round(v / scale))) for v in row]

    def error(scale: float) -> float:
        return sum((v - scale * q) ** 2 for v, q in zip(row, whole(scale), strict=True))

    highest = max(map(abs, row)) / 127
    tried = [highest]
    for share in CUT:
        numbers = whole(highest * share)
        products = sum(v * q for v, q in zip(row, numbers, strict=True))
        tried.append(products / sum(q * q for q in numbers))
    return min(map(error, tried))


def error_of(values: Tensor) -> Tensor:
    """(C,) squared errors."""
    whole, scales = quantised(values)
    return (values.double() - whole.double() * scales[:, None].double()).square().sum(dim=1)


def test_no_scale_is_better_than_the_one_that_is_taken() -> None:
    random = torch.Generator().manual_seed(0)
    values = torch.randn(6, 300, generator=random)
    values[3:] = values[3:] ** 5  # a few values far out
    values[5, 0] = 1e4
    found = error_of(values)
    slow = torch.tensor([slowly(row) for row in values.tolist()])
    assert torch.allclose(found.float(), slow, rtol=1e-3)
    highest = values.abs().amax(dim=1, keepdim=True) / 127
    of_highest = (values - torch.round(values / highest) * highest).square().sum(dim=1)
    assert (found <= of_highest * 1.0001).all()
    assert (found[:3] < of_highest[:3]).all()


def test_degenerate_channels_come_back() -> None:
    values = torch.zeros(7, 4)
    values[1] = 0.3
    values[2] = -0.3
    values[3, 2] = torch.finfo(torch.float32).max
    values[4] = 1e-45  # below what a scale can be
    values[5, 0] = 1e30
    values[6] = torch.tensor([6e4, -7e4, 0.0, 1e5])  # more than fp16 holds
    whole, scales = quantised(values)
    assert (scales > 0).all()
    back = plain({"a": whole, "a.scale": scales})["a"]
    assert back.isfinite().all()
    assert torch.equal(back[0], values[0])
    assert torch.allclose(back[1:3], values[1:3], rtol=1e-6)
    assert float(back[3, 2]) == pytest.approx(float(values[3, 2]), rel=0.01)
    assert torch.equal(back[4], torch.zeros(4))
    assert torch.allclose(back[5:], values[5:], rtol=0.005)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_refused(bad: float, all_sizes: None) -> None:
    values = torch.ones(2, 3)
    values[1, 1] = bad
    with pytest.raises(CheckpointError, match=r"head\.weight holds NaN or infinite values"):
        in_8_bits({"head.weight": values})


def test_in_8_bits_once_more_changes_nothing(all_sizes: None) -> None:
    first = in_8_bits({"a": torch.randn(5, 400, generator=torch.Generator().manual_seed(1))})
    again = in_8_bits(plain(first))
    assert torch.equal(first["a"], again["a"])
    assert torch.allclose(first["a.scale"], again["a.scale"], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"features.0.weight.scale": None}, "features.0.weight is in 8 bits and lacks its scales"),
        ({"features.0.weight.scale": torch.ones(3)}, r"has the shape \(3,\), which does not fit"),
        ({"features.0.weight.scale": torch.ones(4, 1)}, r"has the shape \(4, 1\)"),
        ({"features.0.weight.scale": torch.tensor([1, 1, float("nan"), 1])}, "no positive number"),
        ({"features.0.weight.scale": torch.tensor([1.0, 1, -1, 1])}, "no positive number"),
        ({"features.0.weight.scale": torch.tensor([1.0, 1, 0, 1])}, "no positive number"),
        ({"features.0.weight.scale": torch.tensor([1.0, 1, 1, torch.inf])}, "no positive number"),
        ({"features.0.bias": torch.ones(4, dtype=torch.int8)}, "features.0.bias is in 8 bits and"),
        ({"other.scale": torch.ones(4)}, "does not fit the network 'one-fc': other.scale"),
        ({"features.0.weight": torch.ones(5, 3, 3, 3, dtype=torch.int8)}, "does not fit"),
    ],
)
def test_a_damaged_file_is_refused_in_a_sentence(
    change: dict[str, Tensor | None], said: str, tmp_path: Path, all_sizes: None
) -> None:
    model, path = Vgg(VGG_A, width=4), tmp_path / "x.safetensors"
    save_checkpoint(model, path, "one-fc", precision="8-bit")
    held = {k: v for k, v in (load_file(path) | change).items() if v is not None}
    save_file(held, path, {"network": "one-fc", "precision": "8-bit"})
    with pytest.raises(CheckpointError, match=said):
        fill(model, path, "one-fc")


def test_a_precision_of_tomorrow_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(2)}, path, {"precision": "3-bit"})
    with pytest.raises(CheckpointError, match=r"'3-bit'.*knows fp16, 8-bit.*newer lrpseg"):
        read_tensors(path)
    with pytest.raises(OptionError, match="no precision '3-bit'"):
        save_tensors({}, {}, path, "3-bit")


def test_a_network_in_8_bits_is_half_as_large_and_nearly_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Vgg(VGG_A, (64,), width=16).eval()
    sizes, given = {}, {}
    for name in ("fp16", "8-bit"):
        path = tmp_path / f"{name}.safetensors"
        save_checkpoint(model, path, "128n", {"seed": "0"}, precision=name)
        sizes[name] = path.stat().st_size
        loaded = fill(Vgg(VGG_A, (64,), width=16), path, "128n")
        assert all(t.dtype == torch.float32 for t in loaded.state_dict().values())
        with torch.no_grad():
            given[name] = loaded(torch.randn(2, 3, 224, 224, generator=torch.manual_seed(1)))
    assert sizes["8-bit"] < 0.53 * sizes["fp16"]
    assert torch.allclose(given["fp16"], given["8-bit"], rtol=0.05, atol=1e-3)
    assert read_tensors(tmp_path / "8-bit.safetensors")[1] == {
        "network": "128n",
        "precision": "8-bit",
        "seed": "0",
    }


def test_a_file_of_fp16_from_before_loads_bit_by_bit(tmp_path: Path) -> None:
    torch.manual_seed(2)
    model, path = Vgg(VGG_A, classes=("a", "b"), width=4), tmp_path / "x.safetensors"
    halves = {k: v.half() if v.ndim >= 2 else v for k, v in model.state_dict().items()}
    about = {"network": "one-fc", "classes": json.dumps(["a", "b"])}
    save_file(halves, path, about)
    loaded = fill(Vgg(VGG_A, classes=("a", "b"), width=4), path, "one-fc", ("a", "b"))
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, halves[name].float())
    save_checkpoint(model, path, "one-fc")  # and so are they written
    assert read_tensors(path)[1] == about
    assert {k: v.dtype for k, v in load_file(path).items()} == {
        k: v.dtype for k, v in halves.items()
    }


def test_saving_as_fp16_again_tells_nothing_of_8_bits(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "x.safetensors"
    save_checkpoint(Vgg(VGG_A), path, "one-fc", precision="8-bit")
    model, (_, about) = load_network(path, "one-fc"), read_tensors(path)
    save_checkpoint(model, path, "one-fc", about)
    assert read_tensors(path)[1] == {"network": "one-fc"}
    for name, tensor in load_network(path, "one-fc").state_dict().items():
        assert torch.allclose(tensor, model.state_dict()[name], rtol=1e-3, atol=1e-7)
