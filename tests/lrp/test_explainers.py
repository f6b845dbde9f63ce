"""What must hold for any explainer: selection, classes, threads, conservation, dead samples."""

import threading

import pytest
import torch

from lrpseg.lrp import ENGINES, RULE_SETS, RuleSet, make_explainer
from lrpseg.lrp.engine import LeanEngine
from lrpseg.lrp.rules import ZBox, Zero
from tests.lrp.networks import NORMALISATION, SMALL, TWO, make, pictures

engines = pytest.mark.parametrize("engine", ENGINES)


@engines
@pytest.mark.parametrize("network", ["vgg-a", "resnet-18"])
def test_only_selected_rows_are_explained(network: str, engine: str) -> None:
    model = make(network)
    x = pictures(model, 3)
    explain = make_explainer(model, RULE_SETS["ours"], NORMALISATION, "logit", "max", engine)
    found = explain(x, lambda z: torch.tensor([[False], [True], [False]]))
    outputs = model(x)
    assert torch.allclose(found.log_odds, outputs[:, 1:] - outputs[:, :1])
    assert found.rows.tolist() == [1]
    assert found.classes.tolist() == [0]
    assert found.likelihood is None
    alone = explain(x[1:2], lambda z: torch.tensor([[True]]))
    assert torch.allclose(found.relevance, alone.relevance, rtol=1e-9, atol=1e-15)
    side = x.shape[-1]
    none = explain(x, lambda z: torch.zeros(3, 1, dtype=torch.bool))
    assert none.relevance.shape == (0, side, side)
    assert none.rows.shape == none.classes.shape == (0,)


@engines
@pytest.mark.parametrize("start", ["logit", "log-odds"])
def test_each_class_is_explained_by_itself(engine: str, start: str) -> None:
    model = make("vgg-a 128n", TWO)
    x = pictures(model, 2)
    explain = make_explainer(model, RULE_SETS["ours"], NORMALISATION, start, "average", engine)
    # More pairs than pictures: they come in parts, in the order of pictures and then classes.
    both = explain(x, lambda z: z > -1e9)
    assert torch.allclose(both.log_odds, model(x))
    assert both.rows.tolist() == [0, 0, 1, 1]
    assert both.classes.tolist() == [0, 1, 0, 1]
    for kind in (0, 1):
        one = explain(x, lambda z, kind=kind: torch.arange(2) == z.new_full((2, 1), kind))
        assert one.classes.tolist() == [kind, kind]
        assert torch.allclose(one.relevance, both.relevance[kind::2], rtol=1e-9, atol=1e-15)
    first, second = both.relevance[:2]
    assert (first - second).abs().max() > 0.01 * first.abs().max()


@engines
def test_the_same_rows_for_another_class_are_not_taken_for_the_batch(engine: str) -> None:
    model = make("vgg-a", TWO)
    x = pictures(model, 2)
    explain = make_explainer(model, RULE_SETS["ours"], NORMALISATION, "log-odds", "max", engine)
    twice = explain(x, lambda z: torch.tensor([[False, False], [True, True]]))  # 2 pairs of row 1
    alone = explain(x[1:], lambda z: torch.tensor([[True, True]]))
    assert twice.rows.tolist() == [1, 1]
    assert torch.allclose(twice.relevance, alone.relevance, rtol=1e-9, atol=1e-15)


@engines
@pytest.mark.parametrize("network", ["vgg-a", "resnet-18"])
def test_many_threads_on_one_model_get_the_map_of_a_single_one(network: str, engine: str) -> None:
    model = make(network)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    explain = make_explainer(
        model, RULE_SETS["montavon"], NORMALISATION, "log-odds", "max", engine=engine
    )
    inputs = [pictures(model, 1, seed) for seed in range(4)]
    expected = [explain(x, lambda z: z > -1e9).relevance for x in inputs]
    found: dict[int, torch.Tensor] = {}

    def work(i: int) -> None:
        found[i] = explain(inputs[i % 4], lambda z: z > -1e9).relevance

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(8):
        reference = expected[i % 4]
        assert (found[i] - reference).abs().max() <= 1e-9 * reference.abs().max()
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


@pytest.mark.parametrize("network", SMALL)
def test_relevance_is_conserved_where_nothing_absorbs_it(network: str) -> None:
    model = make(network)
    for name, tensor in model.state_dict().items():
        if name.endswith(("bias", "running_mean")):
            tensor.zero_()  # biases absorb relevance
    rule_set = RuleSet("c", "c", "", ZBox(), Zero(), Zero(), Zero(), Zero())
    x = pictures(model, 2)
    engine = LeanEngine(model, rule_set, NORMALISATION, "log-odds", "max")
    found = engine.relevance(engine.forward(x), torch.zeros(2, dtype=torch.long))
    assert torch.allclose(found.sum(dim=(1, 2)), model.log_odds(model(x))[:, 0], rtol=1e-3)


@pytest.mark.parametrize("rule_set", RULE_SETS)
@pytest.mark.parametrize("network", SMALL)
def test_a_network_without_any_activation_has_no_relevance(network: str, rule_set: str) -> None:
    model = make(network)
    for name, tensor in model.state_dict().items():
        if name.endswith(("weight", "bias")) and model.stage_of(name) is not None:
            tensor.zero_()
    x = pictures(model, 1)
    engine = LeanEngine(model, RULE_SETS[rule_set], NORMALISATION, "log-odds", "average")
    found = engine.relevance(engine.forward(x), torch.zeros(1, dtype=torch.long))
    assert torch.equal(found, torch.zeros_like(found))  # not NaN: 0 / 0 is 0 here


def test_a_nan_in_the_input_reaches_the_log_odds() -> None:
    model = make("vgg-a")
    x = pictures(model, 2)
    x[1, 0, 3, 3] = torch.nan
    explain = make_explainer(model, RULE_SETS["ours"], NORMALISATION, "log-odds", "average")
    found = explain(x, lambda z: z > 0)
    assert found.log_odds.isfinite().tolist() == [[True], [False]]
    assert 1 not in found.rows
