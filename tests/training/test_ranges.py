"""Measuring what features in 8 bits need, from the command line."""

import json
from pathlib import Path

import pytest
import torch

from lrpseg.core.images import read_image
from lrpseg.domains import load_domain
from lrpseg.lrp.quantized import Quantized
from lrpseg.models.checkpoints import checkpoint_hash, save_checkpoint
from lrpseg.models.networks import load_calibrated
from tests.training.support import draw_blowholes, narrow, narrow_network
from training.data.datasets import DataError
from training.data.declared import Subject
from training.loops import ranges


def test_a_domain_gets_the_ranges_of_its_training_pictures(tmp_path: Path) -> None:
    data, folder = draw_blowholes(tmp_path / "data"), tmp_path / "toy"
    folder.mkdir()
    with narrow_network():
        torch.manual_seed(0)
        save_checkpoint(narrow(), folder / "narrow.safetensors", "narrow")
        entry = {
            "title": "Toy",
            "classes": ["intact", "damaged"],
            "normalisation": {"mean": [0.6, 0.6, 0.6], "std": [0.2, 0.2, 0.2]},
            "checkpoints": {"narrow": "narrow.safetensors"},
        }
        (folder / "domain.json").write_text(json.dumps(entry))
        words = ["--data", str(data), "--domain", str(folder), "--network", "narrow"]
        ranges.main(words)
        held = json.loads((folder / "domain.json").read_text("utf-8"))
        assert {name: held[name] for name in entry} == entry
        own = held["ranges"]["narrow"]
        assert own["weights"] == checkpoint_hash(folder / "narrow.safetensors")
        domain = load_domain(folder)
        model = load_calibrated(domain, "narrow")
        Quantized(model, domain.normalisation, domain.ranges["narrow"].highest)  # all are there
        # Of one picture, the tiles at its corners: what they give can be no more.
        example = Subject.known(domain).read(data, 0).splits["train"][0]
        image = torch.from_numpy(read_image(example.image)[None, :96, :96].copy())
        first = model.scales(domain.normalisation(image))[0]
        assert float(first.max()) <= own["highest"]["features.0"] * 1.001
        with pytest.raises(DataError, match="no training pictures"):
            ranges.measure(domain, "narrow", [], torch.device("cpu"))


def test_damaged_and_intact_pictures_are_drawn_in_turns() -> None:
    class Example:
        def __init__(self, name: int) -> None:
            self.name, self.damaged = name, name < 3

    examples = [Example(i) for i in range(10)]
    drawn = ranges.in_turns(examples, 0)  # type: ignore[arg-type]
    assert sorted(e.name for e in drawn) == list(range(10))  # type: ignore[attr-defined]
    assert [e.damaged for e in drawn[:6]] == [True, False] * 3
    again = ranges.in_turns(examples, 0)  # type: ignore[arg-type]
    assert [e.name for e in drawn] == [e.name for e in again]  # type: ignore[attr-defined]
