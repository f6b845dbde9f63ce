"""Features in 8 bits, against the network's own."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrpseg.lrp import quantized
from lrpseg.lrp.quantized import CannotQuantizeError, Quantized, highest_outputs, pays
from lrpseg.models import Classifier
from tests.lrp.networks import NORMALISATION, SMALL, TWO, make, pictures

CPU = torch.device("cpu")
needs_bytes = pytest.mark.skipif(
    not pays(CPU), reason="this processor does not multiply bytes (VNNI)"
)


def network(name: str) -> tuple[Classifier, Tensor]:
    """In float32, with pictures."""
    model = make(name, TWO)
    return model.float(), pictures(model, 3).float()


@pytest.mark.parametrize("name", SMALL)
def test_the_highest_outputs_are_those_of_the_stages(name: str) -> None:
    model, x = network(name)
    found = highest_outputs(model, [x[:1], x[1:]])
    for scale in model.scales(x):
        nearest = min(found.values(), key=lambda value: abs(value - float(scale.max())))
        assert nearest == pytest.approx(float(scale.max()), rel=1e-5)
    assert min(found.values()) > 0


@needs_bytes
@pytest.mark.parametrize("name", SMALL)
def test_each_stage_is_nearly_what_the_network_gives(name: str) -> None:
    model, x = network(name)
    highest = highest_outputs(model, [x])
    found = Quantized(model, NORMALISATION, highest, every=True)(x)
    wanted = model.scales(x)
    assert [f.shape for f in found] == [w.shape for w in wanted]
    for own, other in zip(found, wanted, strict=True):
        assert own.dtype == torch.float32
        # 256 levels each, layer after layer.
        assert float((own - other).abs().max()) < 0.06 * float(other.max())
        assert float((own - other).pow(2).mean().sqrt()) < 0.012 * float(other.max())
    (last,) = Quantized(model, NORMALISATION, highest)(x)
    assert torch.equal(last, found[-1])


@needs_bytes
def test_a_picture_gives_the_same_in_any_batch() -> None:
    model, x = network("vgg-a")
    features = Quantized(model, NORMALISATION, highest_outputs(model, [x]))
    together = features(x)[0]
    for i in range(len(x)):
        assert torch.equal(features(x[i : i + 1])[0], together[i : i + 1])


@needs_bytes
def test_what_is_higher_than_ever_seen_counts_as_the_highest() -> None:
    model, x = network("vgg-a")
    highest = highest_outputs(model, [x])
    last = list(highest)[-1]
    half = highest | {last: highest[last] / 2}
    found = Quantized(model, NORMALISATION, half)(x)[0]
    assert float(found.max()) == pytest.approx(highest[last] / 2)


def test_what_is_missing_is_named() -> None:
    model, x = network("vgg-a")
    highest = highest_outputs(model, [x])
    del highest["features.3"]
    with pytest.raises(CannotQuantizeError, match=r"features\.3"):
        Quantized(model, NORMALISATION, highest)
    model.features[2] = nn.AvgPool2d(2)  # type: ignore[index, operator]
    with pytest.raises(CannotQuantizeError, match="AvgPool2d"):
        Quantized(model, NORMALISATION, highest | {"features.3": 1.0})


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 0)])
def test_a_max_pool_of_bytes_is_the_one_of_numbers(kernel: int, stride: int, padding: int) -> None:
    torch.manual_seed(0)
    x = torch.randint(0, 256, (2, 3, 9, 12), dtype=torch.uint8)
    pool = quantized._max_pool(nn.MaxPool2d(kernel, stride, padding))
    wanted = F.max_pool2d(x.float(), kernel, stride, padding)
    assert torch.equal(pool((x,)).float(), wanted)


def test_only_a_cpu_has_bytes() -> None:
    assert not pays(torch.device("meta"))
