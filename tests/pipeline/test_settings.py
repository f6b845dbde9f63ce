"""Settings: one declaration a field, from which all else is made; and the policy of defaults."""

import inspect
import json
from dataclasses import asdict, fields
from pathlib import Path

import pytest

import lrpseg
from lrpseg.core.errors import OptionError
from lrpseg.domains import load_domain
from lrpseg.pipeline.defaults import after_choosing, default_settings
from lrpseg.pipeline.settings import BEST, DEFAULTS, MEASURED, MENUS, OPTIONS, Settings, taking

GIVEN = {"domain": "toy", "network": "one-fc", "rule_set": "ours", "thresholder": "simple"}


def test_every_field_is_declared_for_people() -> None:
    flags = [option.flag for option in OPTIONS.values()]
    assert list(OPTIONS) == [f.name for f in fields(Settings)]
    assert len(set(flags)) == len(flags)
    for name, option in OPTIONS.items():
        assert option.flag.startswith("--"), name
        assert option.title, name
        assert option.help.endswith("."), name
        assert not option.usage.endswith("."), name
        if option.registry is not None and name in DEFAULTS:
            assert DEFAULTS[name] in option.registry, name
    assert set(BEST) < set(MEASURED)
    assert set(MENUS) <= {*MEASURED, "domain", "witness"}


def test_settings_are_given_by_name_alone() -> None:
    with pytest.raises(TypeError):
        Settings("toy", "one-fc", "ours", "simple")  # type: ignore[misc]
    made = Settings(**GIVEN)
    assert json.loads(made.as_json()) == {**DEFAULTS, **GIVEN} == asdict(made)
    assert made.but(refiner="support", thresholder=None).refiner == "support"
    assert made.but(refiner="support").thresholder == "simple"
    assert set(made.evidence()) == set(OPTIONS) - {"thresholder", "refiner"}


@pytest.mark.parametrize(
    ("change", "says"), [({"refiner": "moon"}, "support"), ({"colour": "red"}, "no setting")]
)
def test_what_does_not_exist_is_told(change: dict[str, str], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        Settings(**GIVEN).but(**change)


def test_a_function_takes_the_fields_it_names() -> None:
    @taking("network", "refiner", default="", annotation=str, order=("image", "network"))
    def segment(image: str, threshold: float = 0.5, **choices: str) -> tuple[object, ...]:
        """Segment.

        Args:
            image: a picture.
            {choices}
        """
        return image, threshold, choices

    assert list(inspect.signature(segment).parameters) == [
        "image", "network", "threshold", "refiner",
    ]  # fmt: skip
    assert segment("a", "one-fc", 0.7) == ("a", 0.7, {"network": "one-fc"})
    assert segment("a", refiner="none") == ("a", 0.5, {"refiner": "none"})
    assert "            network: what decides" in (segment.__doc__ or "")
    assert segment.__annotations__["refiner"] is str
    with pytest.raises(TypeError):
        segment("a", colour="red")


def test_load_names_every_field() -> None:
    named = inspect.signature(lrpseg.load).parameters
    assert set(OPTIONS) <= set(named)
    for name in OPTIONS:
        assert f"{name}: " in (lrpseg.load.__doc__ or "")


def test_a_new_domain_brings_what_is_best_for_it() -> None:
    best = default_settings(load_domain("concrete-crack"))
    values = asdict(default_settings(load_domain("magnetic-tile"))) | {"domain": "concrete-crack"}
    assert after_choosing("domain", values) == best


def test_another_network_keeps_the_other_choices_where_they_can_be_as_good() -> None:
    values = {"domain": "magnetic-tile", "rule_set": "montavon", "thresholder": "gmm",
              "refiner": "none"}  # fmt: skip
    kept = after_choosing("network", {**values, "network": "one-fc"})
    assert (kept.rule_set, kept.thresholder, kept.refiner) == ("montavon", "gmm", "none")
    # A likelihood is no relevance: what is best for it is chosen anew, and on the way back as well.
    domain = load_domain("magnetic-tile")
    proposed = after_choosing("network", {**values, "network": "self-trained"})
    assert proposed == default_settings(domain, network="self-trained")
    back = {**values, "network": "one-fc", "thresholder": "fraction"}
    assert after_choosing("network", back) == default_settings(domain, network="one-fc")
    assert after_choosing("rule_set", back).thresholder == "fraction"


def test_classifiers_alone_where_asked() -> None:
    concrete = load_domain("concrete-crack")
    assert default_settings(concrete).network == "self-trained"
    assert default_settings(concrete, classifiers_only=True).network in ("one-fc", "128n")


def test_a_domain_by_its_folder_stays_a_folder(toy_assets: Path) -> None:
    folder = toy_assets / "toy"
    assert default_settings(load_domain(folder), domain=str(folder)).domain == str(folder)
    assert default_settings(load_domain(folder)).domain == "toy"
