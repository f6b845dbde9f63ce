"""Class sets: what a `domain.json` may say, today's pair, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from lrpseg.core.errors import OptionError
from lrpseg.domains import load_domain
from lrpseg.domains.classes import COLOURS, ClassSet


def domain(folder: Path, **entry: Any) -> Path:
    """A domain's folder without weights."""
    folder.mkdir()
    whole = {
        "title": "Made up",
        "normalisation": {"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]},
        "checkpoints": {},
        **entry,
    }
    (folder / "domain.json").write_text(json.dumps(whole))
    return folder


def test_names_titles_colours_and_keys() -> None:
    kinds = ClassSet.parse(["crack", {"name": "hole", "title": "Blowhole", "key": "b"}, "fray"])
    assert kinds.names == ("crack", "hole", "fray")
    assert [k.title for k in kinds] == ["Crack", "Blowhole", "Fray"]
    assert [k.key for k in kinds] == ["1", "b", "3"]
    assert [k.colour for k in kinds] == list(COLOURS[:3])
    assert ClassSet.parse([{"name": "x", "colour": "#0A0b0C"}])[0].colour == (10, 11, 12)
    assert kinds["hole"] is kinds[1]
    assert "hole" in kinds
    assert "moon" not in kinds
    assert kinds == ClassSet(list(kinds))


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([], "at least one"),
        (["a", "a"], "share their name"),
        ([{"name": "a", "key": "x"}, {"name": "b", "key": "x"}], "share their key"),
        (["a/b"], "cannot be the name"),
        ([".."], "cannot be the name"),
        ([" a"], "cannot be the name"),
        (["a\nb"], "cannot be the name"),
        ([{"title": "A"}], "has name, title"),
        ([{"name": "a", "size": 3}], "has name, title"),
        ([{"name": "a", "colour": "red"}], "#0072b2"),
    ],
)
def test_what_is_no_class_set(entries: list[Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        ClassSet.parse(entries)


def test_an_unknown_class_lists_the_known() -> None:
    with pytest.raises(OptionError, match="crack, hole"):
        ClassSet.parse(["crack", "hole"]).index("moon")


def test_the_pair_of_today_s_domains_is_one_class(tmp_path: Path) -> None:
    found = load_domain(domain(tmp_path / "old", classes=["good", "rusty"]))
    assert found.intact == "good"
    assert found.classes.names == ("rusty",)


def test_a_name_from_before_files_had_to_hold_it_still_opens(tmp_path: Path) -> None:
    found = load_domain(domain(tmp_path / "old", classes=["good", "crack/hole"]))
    assert found.classes.names == ("crack_hole",)
    assert found.classes[0].title == "crack/hole"


def test_several_classes_stand_beside_intact(tmp_path: Path) -> None:
    found = load_domain(domain(tmp_path / "new", intact="sound", classes=["crack", "hole"]))
    assert found.intact == "sound"
    assert found.classes.names == ("crack", "hole")


@pytest.mark.parametrize("classes", [["a", "b", "c"], [], "ab", [1, 2], {"a": 1}])
def test_a_domain_with_wrong_classes_is_refused(tmp_path: Path, classes: object) -> None:
    several = {"intact": "i"} if classes == [1, 2] else {}
    folder = domain(tmp_path / "wrong", classes=classes, **several)
    with pytest.raises(OptionError):
        load_domain(folder)


def test_shipped_domains_have_one_class() -> None:
    for name in ("magnetic-tile", "concrete-crack"):
        assert load_domain(name).classes.names == ("damaged",)
