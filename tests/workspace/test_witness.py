"""What a workspace keeps of a picture that a witness was asked about, and says of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lrpseg.app.words import points_note, verdict
from lrpseg.domains import load_domain
from lrpseg.web.describe import summary
from lrpseg.workspace import Item, Workspace
from lrpseg.workspace.bundle import provenance
from tests.workspace_support import SETTINGS, folder_of, picture, result


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def heard(
    workspace: Workspace, network: float, witness: float, both: float, explain_intact: bool = False
) -> Item:
    """A picture that was analysed with a witness; explained where both together see damage."""
    item = workspace.add("a.png", picture(), SETTINGS, explain_intact=explain_intact)
    made = result(explained=both > 0.5 or explain_intact)
    (layer,) = made.layers
    said = replace(layer, probability=both, network=network, witness=witness, damaged=both > 0.5)
    workspace.finish(item.id, item.analysis_key, replace(made, layers=(said,)))
    return workspace.item(item.id)


@pytest.mark.usefixtures("only_toy")
def test_what_the_witness_seconded_is_what_masks_are_made_of(workspace: Workspace) -> None:
    plain = heard(workspace, 0.9, 0.9, 0.9)
    assert not workspace.has_evidence(plain.id)
    item = workspace.add("b.png", picture(), SETTINGS)
    made = result(explained=True)
    (layer,) = made.layers
    values = np.zeros(layer.relevance.shape, np.float32)
    values[2:5, 3:9] = 2.0
    said = replace(layer, network=0.9, witness=0.8, seconded=values)
    workspace.finish(item.id, item.analysis_key, replace(made, layers=(said,)))
    assert workspace.has_evidence(item.id)
    assert np.array_equal(workspace.evidence(item.id), values)
    assert np.array_equal(workspace.relevance(item.id), layer.relevance)
    assert np.array_equal(workspace.automatic_mask(item.id), said.fitted.mask)
    assert workspace.automatic_mask(item.id)[2:5, 3:9].all()
    # Another thresholder goes on from it, too.
    again = Workspace(workspace.folder)
    assert np.array_equal(again.evidence(item.id), values)
    waiting = workspace.add("c.png", picture(), SETTINGS)
    assert not workspace.has_evidence(waiting.id)


@pytest.mark.usefixtures("only_toy")
def test_what_both_said_is_kept(workspace: Workspace) -> None:
    item = heard(workspace, 0.1, 0.9, 0.8)
    (layer,) = item.layers
    assert (layer.network, layer.witness, layer.probability) == (0.1, 0.9, 0.8)
    assert item.doubtful
    assert item.by_witness
    assert summary(item)["doubtful"] is True
    said = verdict(item, load_domain("toy"))
    assert said.endswith(
        ". Doubtful: the network alone says p = 0.10, the witness p = 0.90. "
        "The heatmap shows what comes nearest to damage for the network."
    )
    about = provenance(workspace, item)
    assert about["doubtful"] is True
    (entry,) = about["classes"].values()
    assert (entry["network_probability"], entry["witness_probability"]) == (0.1, 0.9)
    assert points_note(None, item, None) is not None


@pytest.mark.usefixtures("only_toy")
@pytest.mark.parametrize(
    ("network", "witness", "both", "doubtful", "by_witness"),
    [
        (0.9, 0.9, 0.99, False, False),
        (0.9, 0.2, 0.6, True, False),
        (0.9, 0.1, 0.3, True, False),
        (0.2, 0.9, 0.4, True, False),
        (0.45, 0.45, 0.6, False, True),
        (0.1, 0.1, 0.01, False, False),
    ],
)
def test_who_disagrees_and_whose_heatmap_it_is(
    workspace: Workspace,
    network: float,
    witness: float,
    both: float,
    doubtful: bool,
    by_witness: bool,
) -> None:
    item = heard(workspace, network, witness, both)
    assert (item.doubtful, item.by_witness) == (doubtful, by_witness)
    assert ("Doubtful" in verdict(item, load_domain("toy"))) == doubtful


@pytest.mark.usefixtures("only_toy")
@pytest.mark.parametrize(("network", "witness"), [(0.1, 0.9), (0.1, 0.2), (0.9, 0.1)])
def test_whoever_asks_for_the_reason_sees_that_of_who_objects(
    workspace: Workspace, network: float, witness: float
) -> None:
    item = heard(workspace, network, witness, 0.3, explain_intact=True)
    assert item.by_witness == (witness > 0.5)


@pytest.mark.usefixtures("only_toy")
def test_going_back_to_former_settings_finds_it_again(workspace: Workspace) -> None:
    item = heard(workspace, 0.1, 0.9, 0.8)
    held = json.loads((folder_of(workspace, item) / f"relevance-{item.analysis}.json").read_text())
    assert (held["network"], held["witness"]) == (0.1, 0.9)
    workspace.set_settings(item.id, explain_intact=True)
    assert workspace.item(item.id).status == "waiting"
    back = workspace.set_settings(item.id, explain_intact=False)
    assert back.layers[0].witness == 0.9
    assert back.status == "todo"
