"""A domain's weights in 8 bits, with all that hangs on them, and what that changes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import lrpseg
from lrpseg.core.errors import CheckpointError, LrpsegError
from lrpseg.core.images import read_image
from lrpseg.domains import load_domain
from lrpseg.lrp.quantized import Quantized, pays
from lrpseg.models.checkpoints import checkpoint_hash, read_tensors, save_checkpoint
from lrpseg.models.networks import load_calibrated, load_pair, load_plain
from lrpseg.models.self_trained import SelfTrained, fingerprint
from lrpseg.models.tensors import fill
from tests.conftest import add_self_trained
from tests.narrow import NARROW
from tests.training.support import draw_blowholes
from training.loops import calibration, ranges
from training.reports import precision, tilings
from training.shipping import compact

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_blowholes(tmp_path_factory.mktemp("data"))


@pytest.fixture
def toy(narrow: None, narrow_assets: Path, data: Path, tmp_path: Path) -> Path:
    """A narrow domain with all that hangs on its weights."""
    folder = tmp_path / "toy"
    shutil.copytree(narrow_assets / "toy", folder)
    given = ["--data", str(data), "--domain", str(folder), "--device", "cpu"]
    weights = folder / "one-fc.safetensors"
    for seed in range(10):  # until one happens to see damage
        torch.manual_seed(seed)
        model = NARROW.build()
        for layer in model.modules():  # a signal keeps its scale
            if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
                torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        save_checkpoint(model, weights, "one-fc", {"seed": str(seed)})
        try:
            calibration.main([*given, "--out", str(weights)])
            break
        except LrpsegError:
            continue
    calibration.main([*given, "--keep-decisions"])
    ranges.main(given)
    held = json.loads((folder / "domain.json").read_text())
    held["checkpoints"]["self-trained"] = "self-trained.safetensors"
    add_self_trained(folder)
    (folder / "domain.json").write_text(json.dumps(held))
    return folder


def test_a_domain_in_8_bits_with_all_that_hangs_on_its_weights(
    toy: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tmp_path / "before" / "toy"
    shutil.copytree(toy, before)
    former = fingerprint(load_plain(load_domain(toy), "one-fc"))
    compact.main(["--data", str(data), "--domain", str(toy), "--device", "cpu"])
    first, second = capsys.readouterr().out.splitlines()[-2:]
    assert first.endswith("; one-fc.safetensors, self-trained.safetensors, domain.json")
    assert second == "self-trained: 0.3 MB; self-trained.safetensors"
    assert {p.name for p in toy.iterdir()} == {p.name for p in before.iterdir()}

    domain = load_domain(toy)
    for network in domain.checkpoints:
        path = domain.checkpoint(network)
        assert torch.int8 in {t.dtype for t in load_file(path).values()}
        assert read_tensors(path)[1]["precision"] == "8-bit"
        assert path.stat().st_size < (before / path.name).stat().st_size
    classifier = load_plain(domain, "one-fc")
    now = fingerprint(classifier)
    assert not torch.equal(now, former)

    # What stands on its features is of the new ones, and what was learned before opens still.
    assert torch.equal(load_pair(domain, "self-trained").own.features, now)
    old = fill(SelfTrained(classifier.stages), before / "self-trained.safetensors", "self-trained")
    assert torch.equal(old.features, former)
    assert old.belongs_to(classifier)

    # Entries are of the new weights, and nearly as before.
    entries, were = (json.loads((f / "domain.json").read_text()) for f in (toy, before))
    for part in ("calibration", "ranges"):
        found = entries[part]["one-fc"].pop("weights")
        assert found == checkpoint_hash(toy / "one-fc.safetensors")
        assert were[part]["one-fc"].pop("weights") != found
    assert entries["calibration"]["one-fc"]["slope"] == pytest.approx(
        were["calibration"]["one-fc"]["slope"], rel=0.1
    )
    assert entries["calibration"]["one-fc"]["offset"] == 0
    assert entries["ranges"]["one-fc"]["highest"] == pytest.approx(
        were["ranges"]["one-fc"]["highest"], rel=0.05
    )
    assert {k: v for k, v in entries.items() if k not in ("calibration", "ranges")} == {
        k: v for k, v in were.items() if k not in ("calibration", "ranges")
    }
    if pays(CPU):  # the first look in 8 bits has what it needs
        highest = domain.ranges["one-fc"].highest
        model = load_calibrated(domain, "one-fc")
        image = read_image(data / "damaged" / "0.png")[None, :224, :224].copy()
        x = domain.normalisation(torch.from_numpy(image))
        (features,) = Quantized(model, domain.normalisation, highest)(x)
        wanted = model.scales(x)[-1]
        assert float((features - wanted).abs().max()) < 0.06 * float(wanted.max())
        assert lrpseg.load(str(toy), network="one-fc", device="cpu").look is not None

    with pytest.raises(LrpsegError, match="8 bits already"):
        compact.main(["--data", str(data), "--domain", str(toy), "--network", "one-fc"])
    compact.main(["--data", str(data), "--domain", str(toy)])  # there is nothing left to do
    assert checkpoint_hash(toy / "one-fc.safetensors") == found

    given = ["--data", str(data), "--domain", str(toy), "--before", str(before), "--device", "cpu"]
    assert precision.main([*given, "--crops"]).startswith("4 centre crops of val of 4 regions")
    text = precision.main(given)
    assert text.startswith("4 whole val pictures of 4 regions, Toy surfaces:")
    assert text.count("| one-fc |") == text.count("| self-trained |") == 2
    (line,) = (t for t in text.splitlines() if t.startswith("- one-fc: "))
    assert "of 4 pictures are called differently" in line
    pictures = sorted(data.glob("*/[45].png"))
    probabilities = [
        [lrpseg.load(str(f), network="one-fc", device="cpu")(p).probability for p in pictures]
        for f in (before, toy)
    ]
    apart = np.abs(np.subtract(*probabilities)).max()
    assert f"probabilities differ by {apart:.4f} at most" in line


def test_a_network_alone_leaves_the_classifier_as_it_is(toy: Path, data: Path) -> None:
    kept = ("one-fc.safetensors", "domain.json")
    before = [(toy / name).read_bytes() for name in kept]
    compact.main(["--data", str(data), "--domain", str(toy), "--network", "self-trained"])
    assert [(toy / name).read_bytes() for name in kept] == before
    assert read_tensors(toy / "self-trained.safetensors")[1]["precision"] == "8-bit"
    load_pair(load_domain(toy), "self-trained")


def test_what_fails_half_way_leaves_the_domain_as_it_was(
    toy: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    before = {p.name: p.read_bytes() for p in toy.iterdir()}
    monkeypatch.setattr(ranges, "measure", stop)
    with pytest.raises(KeyboardInterrupt):
        compact.main(["--data", str(data), "--domain", str(toy), "--network", "one-fc"])
    assert {p.name: p.read_bytes() for p in toy.iterdir()} == before


def test_weights_that_are_damaged_or_of_a_base_are_refused(
    toy: Path, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "v1").mkdir()
    held = {"title": "V1", "based_on": str(toy), "checkpoints": {}}
    (tmp_path / "v1" / "domain.json").write_text(json.dumps(held))
    with pytest.raises(LrpsegError, match="not in the folder of 'v1'"):
        compact.main(["--data", str(data), "--domain", str(tmp_path / "v1")])
    (toy / "one-fc.safetensors").write_bytes(b"\x80")
    with pytest.raises(CheckpointError, match="damaged"):
        compact.main(["--data", str(data), "--domain", str(toy)])


def test_tilings_are_compared_with_tiles_alone(toy: Path, data: Path) -> None:
    text = tilings.main(
        ["--data", str(data), "--domain", str(toy), "--network", "one-fc", "--tiling", "windows",
         "--device", "cpu"]
    )  # fmt: skip
    lines = text.splitlines()
    assert lines[2].startswith("| network | tiling | balanced accuracy |")
    windows, tiles = (line.split(" | ") for line in lines[4:6])
    assert (windows[:2], tiles[:2]) == (["| one-fc", "windows"], ["| one-fc", "tiles"])
    assert windows[2:] == tiles[2:]
    assert lines[-1].startswith("- one-fc, windows: 0 of 4 pictures are called differently; IoU")
