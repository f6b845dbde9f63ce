"""What a result becomes when a witness has spoken."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import lrpseg
from lrpseg.core.errors import OptionError
from lrpseg.core.images import read_image
from lrpseg.domains import load_domain
from lrpseg.pipeline import segmenter as segmenting
from lrpseg.pipeline.defaults import after_choosing, default_settings
from lrpseg.pipeline.found import Found
from lrpseg.pipeline.operating_points import weights_hash
from lrpseg.pipeline.results import fit
from lrpseg.pipeline.settings import Settings
from lrpseg.pipeline.testifying import flagged, heard
from lrpseg.pipeline.tiling import TileGrid
from lrpseg.refiners import REFINERS
from lrpseg.witness.verdict import Verdict
from lrpseg.witness.witness import Testimony as Said  # no class of tests
from tests.narrow import narrow_tiles
from tests.page_support import DAMAGED, INTACT
from tests.small_witness import VERDICT, give_witness

# Log-odds 4 p + s - 4 of both, s - 2 of the witness alone.
PLAIN = Verdict(alone=(1.0, -2.0), together=(4.0, 1.0, -4.0))
CALM, UPSET = 0.0, 5.0


def found(probability: float, own: bool = False) -> Found:
    explained = probability > 0.5
    values = np.zeros((16, 24), np.float32)
    if explained:
        values[3, 4] = 7
    return Found("damaged", probability, explained, explained, values, values / 7 if own else None)


def said(score: float) -> Said:
    patches = np.full((2, 3), 1, np.float32)
    patches[1, 2] = 1 + score
    return Said(score, patches)


@pytest.mark.parametrize("own", [False, True])
def test_evidence_counts_as_far_as_the_witness_sees_damage(own: bool) -> None:
    network = found(0.9, own)
    got = heard(network, said(UPSET), PLAIN, False)
    assert got.probability == pytest.approx(1 / (1 + np.exp(-4.6)))
    assert (got.damaged, got.explained, got.doubtful) == (True, True, False)
    assert got.network == 0.9
    assert got.witness == pytest.approx(1 / (1 + np.exp(-3)))
    # The reason stays the network's own.
    assert np.array_equal(got.relevance, network.relevance)
    assert got.seconded is not None
    assert got.evidence is got.seconded
    assert not got.seconded.flags.writeable
    # The witness sees all of it at the lower right, and nothing where the network's 7 is.
    patches = np.zeros((2, 3), np.float32)
    patches[1, 2] = UPSET
    large = np.maximum(cv2.resize(patches, (24, 16), interpolation=cv2.INTER_CUBIC), 0)
    wanted = network.evidence * (large / large.max()) ** (1 if own else 2)
    assert np.allclose(got.seconded, wanted, atol=1e-6)


def test_what_a_person_taught_needs_nobody_else() -> None:
    network = found(0.9, own=True)
    got = heard(network, said(UPSET), PLAIN, False, taught=True)
    assert got.doubtful is False
    assert got.seconded is None
    assert got.evidence is network.own_likelihood


def test_relevance_against_damage_is_seconded_by_nobody() -> None:
    values = np.full((16, 24), -1, np.float32)
    values[12, 20] = 3
    got = heard(replace(found(0.9), relevance=values), said(UPSET), PLAIN, False)
    assert got.seconded is not None
    assert got.seconded.min() == 0
    assert np.argwhere(got.seconded > 0).tolist() == [[12, 20]]


def test_where_the_two_see_damage_apart_the_networks_evidence_stays() -> None:
    values = np.zeros((16, 24), np.float32)
    values[0, 0] = 3
    patches = np.zeros((2, 3), np.float32)
    patches[1, 2] = UPSET
    got = heard(replace(found(0.9), relevance=values), Said(UPSET, patches), PLAIN, False)
    assert got.seconded is None
    assert got.evidence is values


@pytest.mark.parametrize("own", [False, True])
def test_what_the_network_alone_took_for_damage_can_be_intact(own: bool) -> None:
    got = heard(found(0.6, own), said(CALM), PLAIN, False)
    assert (got.damaged, got.explained, got.doubtful) == (False, False, True)
    assert not got.relevance.any()
    assert (got.own_likelihood is not None) == own
    # Whoever asks for the reason all the same gets the network's.
    asked = heard(found(0.6, own), said(CALM), PLAIN, True)
    assert (asked.damaged, asked.explained) == (False, True)
    assert np.array_equal(asked.relevance, found(0.6).relevance)


def test_a_picture_that_is_alike_all_over_leaves_the_evidence_as_it_is() -> None:
    flat = Said(UPSET, np.full((2, 3), UPSET, np.float32))
    network = found(0.9)
    got = heard(network, flat, PLAIN, False)
    assert (got.damaged, got.explained) == (True, True)
    assert got.evidence is network.relevance


def test_tiles_in_which_the_witness_sees_damage_are_flagged() -> None:
    grid = TileGrid(224, 448, overlap=0)
    patches = np.zeros((28, 56), np.float32)
    patches[3, 50] = 25  # one of five is all that counts there
    assert flagged(Said(5, patches), PLAIN, grid).tolist() == [[False, True]]
    assert flagged(Said(5, patches / 5), PLAIN, grid).tolist() == [[False, False]]
    # A picture smaller than a tile, which is enlarged: its few patches are all the tile's.
    assert flagged(Said(5, np.full((2, 3), 3, np.float32)), PLAIN, TileGrid(224, 224)).all()


def test_none_was_asked() -> None:
    assert not found(0.9).doubtful
    assert found(0.9).witness is None


@pytest.fixture
def assets(tmp_path: Path) -> Iterator[Path]:
    with narrow_tiles(tmp_path):
        give_witness(tmp_path / "magnetic-tile")
        yield tmp_path


def test_it_is_asked_where_a_domain_has_one(assets: Path) -> None:
    domain = load_domain("magnetic-tile")
    assert default_settings(domain).witness == "dinov2"
    assert default_settings(domain, witness="none").witness == "none"
    bare = replace(domain, witnesses={})
    assert default_settings(bare).witness == "none"
    chosen = default_settings(domain)
    values = {"domain": "magnetic-tile", "network": "128n", "witness": "none"}
    assert after_choosing("network", values).witness == "none"
    alone = chosen.but(witness="none")
    assert weights_hash(domain, chosen).startswith(weights_hash(domain, alone) + "+")
    with pytest.raises(OptionError, match="has no witness 'dinov2'"):
        weights_hash(bare, chosen)


def test_domains_that_were_learned_have_their_bases(assets: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "domain.json").write_text('{"based_on": "magnetic-tile", "title": "Mine"}')
    base = load_domain("magnetic-tile")
    assert load_domain(folder).witnesses == base.witnesses


@pytest.mark.parametrize("path", [DAMAGED, INTACT])
def test_all_ways_to_a_result_hear_it(assets: Path, path: Path) -> None:
    alone = lrpseg.load("magnetic-tile", network="one-fc", witness="none")(path)
    segmenter = lrpseg.load("magnetic-tile", network="one-fc")
    assert segmenter.witness is not None
    testimony = segmenter.witness(read_image(path))
    result = segmenter(path)
    (layer,) = result.layers
    assert layer.network == alone.probability
    assert layer.witness == VERDICT.witness(testimony.score)
    assert result.probability == VERDICT.of_both(alone.probability, testimony.score)
    assert result.damaged == (result.probability > 0.5)
    (streamed,) = segmenter.stream([path])
    steps = segmenter.steps(path)
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as end:
            stepped = end.value
            break
    assert told[-1].done == told[-1].total == alone_tiles(told) + 1
    for other in (streamed, stepped):
        assert other.probability == result.probability
        assert np.array_equal(other.mask, result.mask)
    whole = segmenter(path, explain_intact=True)
    assert whole.explained
    assert whole.probability == result.probability


def alone_tiles(told: list) -> int:
    return int(told[0].total) - 1


def test_it_is_asked_once(assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = lrpseg.load("magnetic-tile", network="one-fc")
    asked = []
    witness = segmenter.witness
    assert witness is not None
    original = type(witness).steps
    monkeypatch.setattr(
        type(witness), "steps", lambda self, p: (asked.append(1), original(self, p))[1]
    )
    segmenter(INTACT, explain_intact=True)
    list(segmenter.stream([INTACT, DAMAGED], explain_intact=True))
    assert len(asked) == 3


def verdicts(assets: Path, alone: tuple[float, float], both: tuple[float, float, float]) -> None:
    give_witness(assets / "magnetic-tile", Verdict(alone, both))


def test_what_the_network_missed_is_explained_where_the_witness_sees_it(assets: Path) -> None:
    """The witness alone decides, and calls all damaged: all tiles of the intact one, too."""
    verdicts(assets, (1.0, 1000.0), (0.0, 1.0, 1000.0))
    (layer,) = lrpseg.load("magnetic-tile", network="one-fc")(INTACT).layers
    assert layer.network is not None
    assert layer.network <= 0.5
    assert (layer.damaged, layer.explained, layer.doubtful) == (True, True, True)
    alone = lrpseg.load("magnetic-tile", network="one-fc", witness="none")
    reason = alone(INTACT, explain_intact=True).relevance
    assert np.array_equal(layer.relevance, reason)
    assert layer.seconded is not None
    assert (layer.seconded <= np.maximum(reason, 0) + 1e-6).all()


def test_who_asks_for_the_reason_gets_all_of_it_beside_flagged_tiles(
    assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts(assets, (1.0, -1000.0), (0.0, 0.0, -5.0))
    picture = read_image(INTACT)  # of four tiles

    def first(said: Said, verdict: Verdict, grid: TileGrid) -> np.ndarray:
        found = np.zeros(grid.shape, bool)
        found[0, 0] = True
        return found

    monkeypatch.setattr(segmenting, "flagged", first)
    segmenter = lrpseg.load("magnetic-tile", network="one-fc")
    alone = lrpseg.load("magnetic-tile", network="one-fc", witness="none")
    assert alone(picture).probability <= 0.5
    assert not segmenter(picture).explained
    asked = segmenter(picture, explain_intact=True)
    assert np.array_equal(asked.relevance, alone(picture, explain_intact=True).relevance)


@pytest.mark.parametrize("way", ["call", "stream", "steps"])
def test_damage_of_both_in_no_tile_alone_is_explained_all_over(assets: Path, way: str) -> None:
    verdicts(assets, (1.0, -1000.0), (0.0, 0.0, 5.0))  # neither alone, and yet
    segmenter = lrpseg.load("magnetic-tile", network="one-fc")
    if way == "steps":
        steps = segmenter.steps(INTACT)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                result = end.value
                break
    else:
        (result,) = [segmenter(INTACT)] if way == "call" else segmenter.stream([INTACT])
    assert (result.damaged, result.explained) == (True, True)
    assert result.layers[0].network is not None
    assert result.layers[0].network <= 0.5
    assert result.relevance.any()


@pytest.mark.parametrize("network", ["one-fc", "self-trained", "gone"])
def test_a_refiner_follows_what_the_witness_seconds(
    network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    refine = lambda image, reason, evidence, fitted: asked.append((reason, evidence)) or fitted  # noqa: E731
    entry = replace(REFINERS["none"], refine=refine)
    monkeypatch.setitem(REFINERS._things, "none", entry)
    random = np.random.default_rng(0)
    relevance, evidence = random.random((2, 32, 32)).astype(np.float32)
    settings = Settings(domain="toy", network=network, rule_set="ours", thresholder="simple")
    fit(settings, np.zeros((32, 32, 3), np.uint8), relevance, evidence)
    ((reason, given),) = asked
    assert given is evidence
    # A network that marks pixels by itself has a likelihood, and relevance is its reason.
    assert reason is (relevance if network == "self-trained" else evidence)
