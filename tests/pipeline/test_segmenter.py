"""From an image to a result: batches, tiles, options and errors."""

import threading
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

import lrpseg
from lrpseg.core.errors import ImageError, OptionError, RelevanceError
from lrpseg.domains import Normalisation
from lrpseg.lrp.explainer import Explained
from lrpseg.pipeline.segmenter import Segmenter
from lrpseg.thresholders import THRESHOLDERS

pytestmark = pytest.mark.usefixtures("narrow")


def grey_as_relevance(assets: Path, **changes: object) -> Segmenter:
    """A segmenter whose tiles are damaged if they hold a pixel below 50; relevance = 255 - red."""
    normalisation = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

    def explain(x, select):  # type: ignore[no-untyped-def]
        red = x[:, 0] * 255
        dark = (red.amin(dim=(1, 2)) < 50).float()
        log_odds = (5 * dark - 1)[:, None]
        rows, classes = select(log_odds).nonzero(as_tuple=True)
        return Explained(log_odds, rows, classes, 255 - red[rows], None)

    segmenter = lrpseg.load("toy", assets=assets)
    domain = replace(segmenter.domain, normalisation=normalisation)
    return replace(segmenter, domain=domain, explainer=explain, look=None, **changes)


def test_a_result_has_the_size_of_its_picture(narrow_assets: Path, picture: np.ndarray) -> None:
    result = lrpseg.load("toy", assets=narrow_assets, thresholder="simple")(picture)
    for array, dtype in (
        (result.relevance, np.float32), (result.likelihood, np.float32), (result.mask, bool)
    ):  # fmt: skip
        assert array.shape == picture.shape[:2]
        assert array.dtype == dtype
    assert 0.5 < result.probability <= 1
    assert result.damaged
    assert np.array_equal(result.image, picture)
    assert np.array_equal(result.mask, result.likelihood >= result.threshold)


@pytest.mark.parametrize("shape", [(1, 1), (30, 500), (224, 224), (225, 224), (640, 333)])
def test_every_size_comes_back_as_it_was(narrow_assets: Path, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    result = grey_as_relevance(narrow_assets)(image)
    assert result.relevance.shape == shape
    assert result.mask.shape == shape
    assert np.isfinite(result.relevance).all()


def test_tiles_of_a_large_picture_are_merged_in_place(narrow_assets: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (500, 700, 3), dtype=np.uint8)
    result = grey_as_relevance(narrow_assets)(image)
    assert np.allclose(result.relevance, 255 - image[..., 0], atol=1e-2)


def test_tiles_without_damage_stay_dark(narrow_assets: Path) -> None:
    image = np.full((224, 1000, 3), 200, np.uint8)
    image[100:110, 40:50] = 10
    result = grey_as_relevance(narrow_assets)(image)
    assert result.damaged
    assert (result.relevance[:, 300:] == 0).all()
    assert result.relevance[105, 45] > 200


def test_an_intact_picture_gives_an_empty_mask_unless_asked(narrow_assets: Path) -> None:
    image = np.full((300, 300, 3), 120, np.uint8)
    image[50:60, 50:60] = 80  # dark, but not dark enough to be called damage
    segmenter = grey_as_relevance(narrow_assets)
    result = segmenter(image)
    assert not result.damaged
    assert not result.explained
    assert result.probability < 0.5
    assert not result.mask.any()
    assert not result.at(0).any()
    anyway = segmenter(image, explain_intact=True)
    assert not anyway.damaged
    assert anyway.explained
    assert anyway.probability == result.probability
    assert anyway.mask[52:58, 52:58].all()


@pytest.mark.parametrize("batch", [1, 3, 8, 64])
def test_results_do_not_depend_on_the_batch(narrow_assets: Path, batch: int) -> None:
    random = np.random.default_rng(1)
    shapes = [(224, 224), (500, 300), (100, 120), (224, 900), (230, 230)]
    images = [random.integers(0, 255, (*s, 3), dtype=np.uint8) for s in shapes]
    images[2][...] = 90  # an intact one amid the others
    segmenter = grey_as_relevance(narrow_assets, batch=batch)
    results = list(segmenter.stream(images))
    assert [r.relevance.shape for r in results] == shapes
    assert [r.damaged for r in results] == [True, True, False, True, True]
    for image, result in zip(images, results, strict=True):
        assert np.allclose(result.relevance, segmenter(image).relevance, atol=1e-4)


def test_a_stream_keeps_only_the_images_of_its_batch(narrow_assets: Path) -> None:
    taken = 0

    def images():  # type: ignore[no-untyped-def]
        nonlocal taken
        for _ in range(20):
            taken += 1
            yield np.zeros((224, 224, 3), np.uint8)

    stream = grey_as_relevance(narrow_assets, batch=4).stream(images())
    for done in range(1, 21):
        next(stream)
        assert taken <= done + 4


def test_tiles_of_a_huge_picture_run_in_batches(narrow_assets: Path) -> None:
    sizes = []
    segmenter = grey_as_relevance(narrow_assets, batch=5)
    inner = segmenter.explainer

    def watched(x, select):  # type: ignore[no-untyped-def]
        sizes.append(len(x))
        return inner(x, select)

    seen = []
    result = replace(segmenter, explainer=watched)(
        np.full((3000, 4000, 3), 200, np.uint8), progress=lambda d, n: seen.append((d, n))
    )
    assert max(sizes) == 5
    assert sum(sizes) == seen[-1][0] == seen[-1][1]
    assert not result.damaged


def test_second_thoughts_run_no_lrp(narrow_assets: Path, picture: np.ndarray) -> None:
    calls = []
    segmenter = grey_as_relevance(narrow_assets)
    inner = segmenter.explainer

    def counted(x, select):  # type: ignore[no-untyped-def]
        calls.append(len(x))
        return inner(x, select)

    result = replace(segmenter, explainer=counted)(picture)
    before = len(calls)
    for name in THRESHOLDERS:
        other = result.using(name)
        assert other.relevance is result.relevance
        assert other.settings.thresholder == name
        for threshold in (0.1, 0.9):
            assert np.array_equal(other.at(threshold), other.likelihood >= np.float32(threshold))
    assert len(calls) == before
    with pytest.raises(OptionError, match="0 to 1"):
        result.at(1.5)
    with pytest.raises(OptionError, match="simple"):
        result.using("nothing")


def test_relevance_cannot_be_written_to(narrow_assets: Path, picture: np.ndarray) -> None:
    result = grey_as_relevance(narrow_assets)(picture)
    with pytest.raises(ValueError, match="read-only"):
        result.relevance[0, 0] = 1


def test_many_threads_share_one_segmenter(narrow_assets: Path) -> None:
    segmenter = lrpseg.load("toy", assets=narrow_assets, rule_set="ours", batch=2)
    random = np.random.default_rng(3)
    images = [random.integers(0, 255, (224, 224, 3), dtype=np.uint8) for _ in range(3)]
    expected = [segmenter(image).relevance for image in images]
    found: dict[int, np.ndarray] = {}

    def work(i: int) -> None:
        found[i] = segmenter(images[i % 3]).relevance

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(8):
        scale = np.abs(expected[i % 3]).max()
        assert np.abs(found[i] - expected[i % 3]).max() <= 1e-2 * scale


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("network", "resnet", "one-fc"),
        ("rule_set", "theirs", "montavon"),
        ("thresholder", "otsu", "bmm"),
        ("start", "one", "log-odds"),
        ("pooling", "sum", "average"),
        ("engine", "fast", "zennit"),
        ("device", "abacus", "cpu"),
        ("batch", 0, "at least one"),
        ("overlap", 224, "0 to 223"),
    ],
)
def test_options_that_do_not_exist_are_named(
    narrow_assets: Path, option: str, value: object, says: str
) -> None:
    with pytest.raises(OptionError, match=says):
        lrpseg.load("toy", assets=narrow_assets, **{option: value})  # type: ignore[arg-type]


def test_unknown_domain_lists_the_known(narrow_assets: Path) -> None:
    with pytest.raises(OptionError, match="toy"):
        lrpseg.load("moon", assets=narrow_assets)
    assert lrpseg.load(str(narrow_assets / "toy")).settings.domain == "toy"


def test_an_unreadable_file_is_an_image_error(narrow_assets: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    with pytest.raises(ImageError, match=r"notes\.png"):
        lrpseg.load("toy", assets=narrow_assets)(tmp_path / "notes.png")


@pytest.mark.parametrize(("rule_set", "pooling"), list(product(["ours", "montavon"], ["max"])))
def test_lean_engine_and_zennit_give_the_same_mask(
    picture: np.ndarray, rule_set: str, pooling: str
) -> None:
    masks = [
        lrpseg.load(
            "toy", rule_set=rule_set, pooling=pooling, engine=engine,
            thresholder="simple",
        )(picture).mask
        for engine in ("lean", "zennit")
    ]  # fmt: skip
    assert (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum() > 0.98


def test_a_network_that_gives_nan_is_no_intact_picture(narrow_assets: Path) -> None:
    def explain(x, select):  # type: ignore[no-untyped-def]
        log_odds = torch.full((len(x), 1), torch.nan)
        rows, classes = select(log_odds).nonzero(as_tuple=True)
        return Explained(log_odds, rows, classes, x[:0, 0], None)

    segmenter = replace(lrpseg.load("toy", assets=narrow_assets), explainer=explain)
    with pytest.raises(RelevanceError, match="NaN"):
        segmenter(np.zeros((224, 224, 3), np.uint8))
