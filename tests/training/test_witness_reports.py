"""Reports of what a witness changes: literal cases, and a domain that has one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lrpseg.domains import load_domain
from lrpseg.lrp import RULE_SETS
from lrpseg.pipeline.curves import UNION
from lrpseg.refiners import REFINERS
from lrpseg.witness.verdict import Verdict
from tests.narrow import narrow_tiles
from tests.page_support import DAMAGED, INTACT
from tests.small_witness import give_witness
from training.data.crops import centre_crop, load_example
from training.data.datasets import DataError, Example
from training.data.proposals import proposals
from training.reports import beyond
from training.reports import witness as report
from training.reports.peers import witness_systems
from training.reports.segmentation import Pictures
from training.reports.witness import Heard, hear, table

EXAMPLES = [
    Example("a.png", DAMAGED, True, "a", "several"),
    Example("b.png", INTACT, False, "b", "intact"),
]


def test_who_is_doubtful_and_who_is_wrong() -> None:
    labels = np.array([True, True, False, False])
    heard = Heard(
        np.array([0.9, 0.1, 0.2, 0.7]), np.array([0.8, 0.9, 0.1, 0.4]),
        np.array([0.9, 0.4, 0.1, 0.6]), labels,
    )  # fmt: skip
    assert heard.doubtful.tolist() == [False, True, False, True]
    assert heard.wrong.tolist() == [False, True, False, True]
    rows = report.rows_of(heard, [EXAMPLES[0]] * 2 + [EXAMPLES[1]] * 2)
    assert [row.balanced_accuracy.value for row, _ in rows] == [0.5, 1.0, 0.5]


def test_of_a_domain_with_a_witness(tmp_path: Path) -> None:
    with narrow_tiles(tmp_path):
        with pytest.raises(DataError, match="no witness"):
            hear(EXAMPLES, load_domain("magnetic-tile"), "128n", "cpu")
        give_witness(tmp_path / "magnetic-tile")
        domain = load_domain("magnetic-tile")
        heard = hear(EXAMPLES, domain, "128n", "cpu")
        text = table(heard, EXAMPLES, domain, "128n", "val", 0)
        crops = np.random.default_rng(0).integers(0, 255, (3, 224, 224, 3), dtype=np.uint8)
        made = list(witness_systems(domain, crops, torch.device("cpu")))
    assert heard.labels.tolist() == [True, False]
    assert ((heard.network > 0.5) == heard.labels).all()
    for name in ("network alone", "witness alone", "both"):
        assert f"| {name} | " in text
    assert "1 damaged and 1 intact pictures, 2 regions" in text
    assert [system.name for system in made] == [
        "DINOv2 alone, Simple", "DINOv2 alone, Gaussian mixture", "DINOv2 alone, Beta mixture",
    ]  # fmt: skip
    for system in made:
        assert np.asarray(system.mask).shape == (3, 224, 224)
        assert 0 < np.mean(system.mask) < 0.9


def test_proposals_for_a_network_that_trains_itself_are_seconded(tmp_path: Path) -> None:
    def proposed() -> list[np.ndarray]:
        domain = load_domain("magnetic-tile")
        found = proposals([EXAMPLES[0]], domain, "none", None, torch.device("cpu"))
        return [p.mask for region in found for p in region]

    with narrow_tiles(tmp_path):
        (alone,) = proposed()
        give_witness(tmp_path / "magnetic-tile", Verdict((1.0, 0.0), (0.0, 0.0, 5.0)))
        (seconded,) = proposed()
        assert seconded.any()
        assert not np.array_equal(seconded, alone)
        # What both together take for intact proposes nothing.
        give_witness(tmp_path / "magnetic-tile", Verdict((1.0, 0.0), (0.0, 0.0, -5.0)))
        assert not proposed()


def test_systems_stand_with_the_witness_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beyond, "SHOWN", ("simple",))
    monkeypatch.setattr(beyond, "RULE_SETS", {"ours": RULE_SETS["ours"]})
    monkeypatch.setattr(beyond, "REFINERS", {"none": REFINERS["none"]})
    crop = centre_crop(*load_example(EXAMPLES[0], 224), 224)[0]
    truth = np.zeros(crop.shape[:2], bool)
    truth[100:120, 100:120] = True
    pictures = Pictures([crop], [truth], ["a"])
    with narrow_tiles(tmp_path):
        # Both together take everything for intact.
        give_witness(tmp_path / "magnetic-tile", Verdict((1.0, 0.0), (0.0, 0.0, -5.0)))
        made = beyond.systems(load_domain("magnetic-tile"), ["128n"], pictures, torch.device("cpu"))
        alone, seconded = (made[key][UNION] for key in made)
        assert [key.witness for key in made] == ["none", "dinov2"]
        assert seconded.name == f"{alone.name}, witness: dinov2"
        assert not seconded.found.any()
        assert not np.array_equal(alone.likelihood[0], seconded.likelihood[0])
        scores = dict(zip(made, pictures.scored([alone, seconded], 0), strict=True))
        chosen = beyond.best(scores, "relevance", witness="none")
        assert chosen is not None
        assert chosen.witness == "none"
