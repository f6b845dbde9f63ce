"""From a domain and choices to the `Segmenter` that makes results with them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from lrpseg.core.devices import pick_device
from lrpseg.core.errors import OptionError
from lrpseg.domains import FIRST_DOMAIN, load_domain
from lrpseg.lrp import RULE_SETS, make_explainer
from lrpseg.lrp.explainer import deciding
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.looking import TILINGS, Parts
from lrpseg.pipeline.segmenter import Segmenter
from lrpseg.pipeline.settings import OPTIONS, taking
from lrpseg.pipeline.testifying import witness_of
from lrpseg.pipeline.tiling import TILE
from lrpseg.witness.witness import load_witness

DEFAULT_BATCH = 8


@taking(*(name for name in OPTIONS if name != "domain"))
def load(
    domain: str = FIRST_DOMAIN,
    *,
    device: str = "auto",
    batch: int = DEFAULT_BATCH,
    assets: Path | None = None,
    **choices: Any,
) -> Segmenter:
    """Load a segmenter.

    Args:
        domain: what is inspected: a shipped domain's name, or a folder that holds a `domain.json`.
        device: "auto" (CUDA, MPS, CPU), or a name that PyTorch knows.
        batch: tiles that run at once; it bounds the memory.
        assets: folder of domains, instead of the shipped one.
        {choices}

    What is not given, or None, becomes what made the best masks on the domain's validation images,
    beside what is given (`lrpseg.pipeline.defaults`).

    Raises:
        OptionError: a name or value that does not exist; the message lists those that do.
        CheckpointError: the weights are missing, damaged, or of another network.
    """
    if batch < 1:
        raise OptionError(f"A batch has at least one tile; {batch} was given.")
    loaded = load_domain(domain, assets)
    settings = replace(default_settings(loaded, **choices), domain=loaded.name)
    where = pick_device(device)
    network = NETWORKS[settings.network].load(loaded).to(where)
    side = network.side or TILE
    if choices.get("overlap") is None and settings.overlap >= side:
        settings = replace(settings, overlap=side // 4)  # small tiles: the usual one is all of it
    if not 0 <= settings.overlap < side:
        raise OptionError(f"The overlap is 0 to {side - 1} pixels; {settings.overlap} was given.")
    reason = make_explainer(
        network.classifier,
        RULE_SETS[settings.rule_set],
        loaded.normalisation,
        settings.start,
        settings.pooling,
        settings.engine,
    )
    look = TILINGS[settings.tiling](Parts(loaded, settings.network, network, reason, where))
    explainer = deciding(network, reason)
    files = witness_of(loaded, settings.witness)
    witness = None if files is None else load_witness(files, where)
    return Segmenter(loaded, explainer, settings, where, batch, side, look, witness=witness)
