"""The U-Net baseline: its shape, its training crops, its training and its files."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lrpseg.core.errors import CheckpointError, LrpsegError
from lrpseg.domains import Normalisation
from training.data.datasets import Example
from training.data.masked_crops import Deformation, MaskedCrops, deform, masked_window
from training.data.readers import read
from training.loops import loop, unet
from training.loops.train_unet import Config, main

CPU = torch.device("cpu")
NORMAL = Normalisation()
STILL = Deformation(degrees=0, shift=0, zoom=(1, 1), shear=0, elastic=0)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small tensors: threads that wait for each other cost more than they bring on a busy CPU."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def draw(seed: int, height: int = 250, width: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """A dark, noisy picture (H, W, 3) with a bright square, and the square's mask (H, W)."""
    random = np.random.default_rng(seed)
    image = random.integers(20, 60, (height, width, 3), dtype=np.uint8)
    mask = np.zeros((height, width), bool)
    y, x = random.integers(60, 150, 2)
    mask[y : y + 40, x : x + 40] = True
    image[mask] = 230
    return image, mask


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose validation split shows the same two pictures as its training split."""
    root = tmp_path_factory.mktemp("drawn")
    for folder in ("damaged", "intact", "masks"):
        (root / folder).mkdir()
    for index in range(4):
        image, mask = draw(index % 2)
        cv2.imwrite(str(root / "damaged" / f"{index}.png"), image)
        cv2.imwrite(str(root / "masks" / f"{index}.png"), mask.astype(np.uint8) * 255)
    cv2.imwrite(str(root / "intact" / "clean.png"), np.full((224, 224, 3), 40, np.uint8))
    names = [f"damaged/{index}.png" for index in range(4)]
    splits = {"train": [*names[:2], "intact/clean.png"], "val": names[2:], "test": []}
    (root / "split.json").write_text(json.dumps({"splits": splits}))
    return root


# -------------------------------------------------------------------------------------- network


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("width", [4, 16, 32])
def test_output_is_as_large_as_the_input(width: int, norm: bool) -> None:
    model = unet.UNet(width, norm).eval()
    with torch.inference_mode():
        assert model(torch.zeros(2, 3, 224, 224)).shape == (2, 2, 224, 224)
        assert model(torch.zeros(1, 3, 32, 48)).shape == (1, 2, 32, 48)


def test_width_64_has_the_published_number_of_parameters() -> None:
    # Figure 1 of the publication, with its one input channel: 3x3 convolutions, then 2x2
    # up-convolutions, then the 1x1 convolution to two classes; weights plus biases.
    threes = [(1, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512)]
    threes += [(512, 512), (512, 1024), (1024, 1024), (1024, 512), (512, 512), (512, 256)]
    threes += [(256, 256), (256, 128), (128, 128), (128, 64), (64, 64)]
    published = sum(9 * i * o + o for i, o in threes)
    published += sum(4 * i * i // 2 + i // 2 for i in (1024, 512, 256, 128)) + 64 * 2 + 2
    assert published == 31_030_658
    with torch.device("meta"):
        ours = sum(p.numel() for p in unet.UNet(64, norm=False).parameters())
    assert ours == published + 2 * 9 * 64  # two more input channels


def test_receptive_field_is_symmetric() -> None:
    # A network of even weights answers a mirrored picture with the mirrored answer; a padding or
    # a crop on one side alone would not. Kernels are made symmetric for that.
    torch.manual_seed(0)
    model = unet.UNet(4).eval()
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim == 4:
                p.copy_((p + p.flip(2) + p.flip(3) + p.flip(2, 3)) / 4)
        x = torch.randn(1, 3, 96, 96)
        for axis in (2, 3):
            assert torch.allclose(model(x.flip(axis)), model(x).flip(axis), atol=1e-4)


def test_receptive_field_has_the_published_size() -> None:
    # Along the way down, two 3x3 convolutions add 4 strides and a pooling adds one: 140 pixels at
    # the lowest level; the way up adds 4 strides a level, as far as its pixels' alignment lets it.
    model = unet.UNet(4, norm=False).eval()
    model.pool = torch.nn.AvgPool2d(2)  # type: ignore[assignment]  # all pixels count, not one
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(0.01) if p.ndim == 1 else p.abs_()
    x = torch.rand(1, 3, 224, 224, requires_grad=True)
    model(x)[0, 1, 112, 112].backward()
    assert x.grad is not None
    reach = x.grad.abs().sum(dim=(0, 1)).nonzero()
    low, high = reach.min(dim=0).values, reach.max(dim=0).values
    assert (high - low + 1).tolist() == [188, 188]


def test_loss_falls_as_the_answer_improves() -> None:
    masks = torch.zeros(2, 16, 16, dtype=torch.bool)
    masks[:, 4:6, 4:6] = True

    def loss(margin: float, truth: torch.Tensor = masks) -> float:
        sign = truth.float() * 2 - 1
        logits = torch.stack([-sign, sign], dim=1) * margin
        return float(unet.segmentation_loss(logits, masks))

    assert loss(10) < 0.01 < loss(1) < loss(0) < loss(-10)
    # The trap of rare damage: calling everything intact, surely.
    assert loss(10) + 0.5 < loss(10, torch.zeros_like(masks))
    empty = torch.zeros_like(masks)
    assert np.isfinite(float(unet.segmentation_loss(torch.zeros(2, 2, 16, 16), empty)))


def test_image_and_mask_move_together() -> None:
    moved = []
    for seed in range(8):
        crop, truth = masked_window(*draw(seed), np.random.default_rng(seed))
        image, mask = deform(crop, truth, Deformation(), seed)
        assert (image.shape, image.dtype) == ((224, 224, 3), torch.uint8)
        assert (mask.shape, mask.dtype) == ((224, 224), torch.bool)
        bright = image[..., 0] > 140
        # The image is interpolated and the mask is not: they may differ along the outline.
        assert (bright & mask).sum() / (bright | mask).sum() > 0.93
        assert image.min() > 0  # surroundings are mirrored, never black
        moved.append(float((mask.numpy() != truth).mean()))
    assert min(moved) > 0


def test_no_deformation_leaves_a_flip_of_the_crop() -> None:
    crop, truth = masked_window(*draw(0), np.random.default_rng(0))
    seen = set()
    for seed in range(30):
        image, mask = deform(crop, truth, STILL, seed)
        same = [
            a for a in ((), (0,), (1,), (0, 1)) if np.array_equal(np.flip(crop, a), image.numpy())
        ]
        assert len(same) == 1
        assert np.array_equal(np.flip(truth, same[0]), mask.numpy())
        seen.add(same[0])
    assert len(seen) == 4


def test_elastic_displacement_is_in_pixels() -> None:
    crop, truth = masked_window(*draw(0), np.random.default_rng(0))
    shifts = []
    for seed in range(40):
        _, mask = deform(crop, truth, Deformation(0, 0, (1, 1), 0, elastic=10), seed)
        # Flips move the square too: the nearer of both places counts.
        y, x = (axis.mean() for axis in np.nonzero(mask.numpy()))
        y0, x0 = (axis.mean() for axis in np.nonzero(truth))
        shifts += [min(abs(a - a0), abs(223 - a - a0)) for a, a0 in ((y, y0), (x, x0))]
    assert 3 < np.sqrt(np.mean(np.square(shifts))) < 15


def test_crops_are_fixed_by_seed_epoch_and_index(drawn: Path) -> None:
    examples = read("folder", drawn).splits["train"]
    one, two = (MaskedCrops(examples, 8, Deformation(jitter=0.2), seed=3) for _ in range(2))
    state = torch.get_rng_state()
    first = one[5]
    assert torch.equal(torch.get_rng_state(), state)  # nobody else's random numbers change
    torch.manual_seed(99)
    assert all(torch.equal(a, b) for a, b in zip(first, two[5], strict=True))
    assert not torch.equal(first[0], one[4][0])
    two.epoch = 1
    assert not torch.equal(first[0], two[5][0])
    other = MaskedCrops(examples, 8, Deformation(jitter=0.2), seed=4)
    assert not torch.equal(first[0], other[5][0])


def test_each_region_is_drawn_equally_often(drawn: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((250, 300, 3), 150, np.uint8))
    mask = drawn / "masks" / "0.png"
    often = Example("a", drawn / "damaged" / "0.png", True, "often", "damaged", mask)
    once = Example("b", tmp_path / "grey.png", True, "once", "damaged", mask)
    crops = MaskedCrops([often] * 9 + [once], 60, STILL, 0)
    share = np.mean([float(crops[i][0].float().median()) == 150 for i in range(60)])
    assert 0.3 < share < 0.7


def test_damage_longer_than_the_crop_shows_in_part() -> None:
    image, mask = np.zeros((300, 400, 3), np.uint8), np.zeros((300, 400), bool)
    mask[150, 20:380] = True
    for seed in range(5):
        crop, part = masked_window(image, mask, np.random.default_rng(seed))
        assert crop.shape == (224, 224, 3)
        assert part.any()


def test_pictures_without_masks_are_refused(drawn: Path) -> None:
    bare = Example("x", drawn / "damaged" / "0.png", True, "x", "damaged", None)
    with pytest.raises(LrpsegError, match="mask"):
        MaskedCrops([bare], 8, STILL, 0)
    with pytest.raises(LrpsegError, match="mask"):
        unet.validation_crops([bare], False)


def test_validation_takes_damaged_centre_crops_and_their_flips(drawn: Path) -> None:
    splits = read("folder", drawn).splits
    images, masks = unet.validation_crops([*splits["val"], *splits["train"]], flips=True)
    assert images.shape == (4 * 3, 224, 224, 3)  # the intact picture is left out
    for image, mask in zip(images, masks, strict=True):
        assert np.array_equal(image[..., 0] > 140, mask)
    perfect = unet.segmentation_figures(np.stack(masks).astype(np.float32), masks)
    assert set(perfect.values()) == {1.0}


# ------------------------------------------------------------------------------ training, files


def test_training_overfits_two_pictures(drawn: Path, tmp_path: Path) -> None:
    config = Config(
        domain="folder", width=8, dropout=0, epochs=4, crops=24, batch=4, lr=1e-2, deformation=STILL
    )
    final = main(config, drawn, tmp_path, resume=False, accelerator="cpu")
    assert final["val/iou"] > 0.7
    report = json.loads((tmp_path / "metrics.json").read_text())
    assert report["val"] == final
    assert [line["epoch"] for line in report["history"]] == [1, 2, 3, 4]
    images, masks = unet.validation_crops(read("folder", drawn).splits["val"], False)
    model = unet.load_unet(tmp_path / "best.safetensors")
    assert unet.segmentation_figures(unet.predict(model, images, CPU, NORMAL), masks) == final


def test_resuming_after_a_kill_changes_nothing(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(domain="folder", width=4, epochs=3, crops=4, batch=2)
    main(config, drawn, tmp_path / "whole", resume=False, accelerator="cpu")
    save = loop.save_state

    def killed(fabric: Any, path: Path, state: dict[str, Any]) -> None:
        save(fabric, path, state)
        if state["epoch"] == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_state", killed)
    with pytest.raises(KeyboardInterrupt):
        main(config, drawn, tmp_path / "parts", resume=False, accelerator="cpu")
    monkeypatch.undo()
    assert not (tmp_path / "parts" / "metrics.json").exists()
    main(config, drawn, tmp_path / "parts", resume=True, accelerator="cpu")
    whole, parts = (torch.load(tmp_path / n / "last.ckpt") for n in ("whole", "parts"))
    assert whole["history"] == parts["history"]
    for name, tensor in whole["model"].items():
        assert torch.equal(tensor, parts["model"][name]), name
    changed = replace(config, lr=5e-4)
    with pytest.raises(LrpsegError, match="other settings"):
        main(changed, drawn, tmp_path / "parts", resume=True, accelerator="cpu")


@pytest.mark.parametrize("norm", [True, False])
def test_save_and_load_round_trip(norm: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = unet.UNet(4, norm)
    model(torch.randn(2, 3, 64, 64) * 500)  # running statistics far from their start
    images = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), np.uint8)
    unet.save_unet(model, tmp_path / "a.safetensors", {"note": "x"})
    loaded = unet.load_unet(tmp_path / "a.safetensors")
    likelihood = unet.predict(loaded, images, CPU, NORMAL, batch=2)
    assert (likelihood.shape, likelihood.dtype) == ((3, 224, 224), np.float32)
    assert 0 <= float(likelihood.min()) < float(likelihood.max()) <= 1
    assert np.allclose(
        likelihood, unet.predict(model, images, CPU, NORMAL), atol=0.01
    )  # fp16 weights
    unet.save_unet(loaded, tmp_path / "b.safetensors")
    again = unet.predict(unet.load_unet(tmp_path / "b.safetensors"), images, CPU, NORMAL, batch=2)
    assert np.array_equal(again, likelihood)
    assert not list(tmp_path.glob("*.part"))


def test_unfit_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(CheckpointError, match="missing"):
        unet.load_unet(path)
    save_file({"x": torch.zeros(1)}, path, {"network": "one-fc"})
    with pytest.raises(CheckpointError, match="no U-Net"):
        unet.load_unet(path)
    unet.save_unet(unet.UNet(4), path)
    save_file(load_file(path), path, {"network": "unet", "width": "8", "norm": "1"})
    with pytest.raises(CheckpointError, match="does not fit"):
        unet.load_unet(path)
