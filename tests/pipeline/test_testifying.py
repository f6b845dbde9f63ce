"""What a result becomes when a witness has spoken."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lrpseg
from lrpseg.core.errors import OptionError
from lrpseg.core.images import read_image
from lrpseg.domains import load_domain
from lrpseg.pipeline.defaults import after_choosing, default_settings
from lrpseg.pipeline.found import Found
from lrpseg.pipeline.operating_points import weights_hash
from lrpseg.pipeline.testifying import heard
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


def test_both_see_damage() -> None:
    got = heard(found(0.9), said(UPSET), PLAIN, False)
    assert got.probability == pytest.approx(1 / (1 + np.exp(-4.6)))
    assert (got.damaged, got.explained, got.doubtful) == (True, True, False)
    assert got.network == 0.9
    assert got.witness == pytest.approx(1 / (1 + np.exp(-3)))
    assert np.array_equal(got.relevance, found(0.9).relevance)


@pytest.mark.parametrize("own", [False, True])
def test_damage_that_the_network_missed_is_the_witnesss(own: bool) -> None:
    got = heard(found(0.1, own), said(UPSET), PLAIN, False)
    assert (got.damaged, got.explained, got.doubtful) == (True, True, True)
    assert got.relevance.shape == (16, 24)
    assert got.relevance[8:, 16:].max() > 4
    assert got.relevance[:4, :8].max() < 0.1
    assert not got.relevance.flags.writeable
    if own:
        assert got.own_likelihood is not None
        assert got.own_likelihood.max() == 1
        assert got.own_likelihood.min() == 0
    else:
        assert got.own_likelihood is None


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


@pytest.mark.parametrize(("score", "witnesss"), [(3.0, True), (1.0, False)])
def test_whoever_asks_sees_the_reason_of_who_speaks_for_damage(
    score: float, witnesss: bool
) -> None:
    network = replace(found(0.1), explained=True, relevance=np.ones((16, 24), np.float32))
    got = heard(network, said(score), PLAIN, True)
    assert (got.damaged, got.explained, got.doubtful) == (False, True, witnesss)
    assert np.array_equal(got.relevance, network.relevance) != witnesss
    # Unless there is nothing to see.
    flat = Said(score, np.full((2, 3), 1, np.float32))
    assert np.array_equal(heard(network, flat, PLAIN, True).relevance, network.relevance)


def test_a_picture_that_is_alike_all_over_shows_nothing() -> None:
    flat = Said(UPSET, np.full((2, 3), UPSET, np.float32))
    got = heard(found(0.1), flat, PLAIN, False)
    assert (got.damaged, got.explained) == (True, False)


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
