"""Classes, options and layers that fit each other, and those that do not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lrpseg.core.errors import OptionError
from lrpseg.domains import load_domain
from lrpseg.domains.classes import ClassSet
from lrpseg.formats import FORMATS, Annotated, ClassLabel, ExportOptions, FormatError
from tests.formats.pictures import TWO, two


def test_pictures_that_do_not_fit_the_classes() -> None:
    mask = np.ones((2, 3), bool)
    for wrong in (
        {},
        {"mask": mask, "layers": {"crack": mask}},
        {"layers": {}},
        {"layers": {"crack": mask, "break": mask[:, :2]}},
        {"layers": {"crack": mask.astype(int)}},
    ):
        with pytest.raises(FormatError, match=r"a\.png"):
            Annotated("a.png", **wrong)  # type: ignore[arg-type]
    for name in FORMATS:
        with pytest.raises(FormatError, match=r"a\.png has one mask.*crack, break.*layer"):
            FORMATS[name].encode(Annotated("a.png", mask), TWO)
        with pytest.raises(FormatError, match=r"a\.png has a mask of hole.*crack, break"):
            FORMATS[name].encode(Annotated("a.png", layers={"crack": mask, "hole": mask}), TWO)
        only = ExportOptions(classes=TWO.classes[:1])
        with pytest.raises(FormatError, match="mask of break, and the classes are crack"):
            FORMATS[name].encode(two(), only)


def test_classes_that_cannot_be() -> None:
    for wrong in (("a ", (0, 0, 0)), ("a", (0, 0)), ("a", (0, 0, 256)), ("a", (0, 0, 0.5))):
        with pytest.raises(OptionError):
            ClassLabel(*wrong)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="crack"):
        ExportOptions(classes=(ClassLabel("crack"), ClassLabel("Crack")))
    with pytest.raises(OptionError, match="255"):
        ExportOptions(classes=tuple(ClassLabel(str(i)) for i in range(256)))
    grey = (90, 90, 90)
    for name, classes in (
        ("cvat-segmentation", (ClassLabel("a", grey), ClassLabel("b", grey))),
        ("cvat-segmentation", (ClassLabel("a", (0, 0, 0)), ClassLabel("b"))),
        ("cvat-segmentation", (ClassLabel("a", grey), ClassLabel("b:c"))),
        ("png-indexed", (ClassLabel("background", grey), ClassLabel("b"))),
        ("png", (ClassLabel(".."), ClassLabel("b"))),
        ("png", (ClassLabel("a/b"), ClassLabel("b"))),
        ("mvtec", (ClassLabel("good"), ClassLabel("b"))),
        ("mvtec", (ClassLabel("combined"), ClassLabel("b"))),
    ):
        with pytest.raises(OptionError, match=r"class"):
            FORMATS[name].check(ExportOptions(classes=classes))
    FORMATS["mvtec"].check(ExportOptions(label="combined"))  # of one class there is no other kind
    FORMATS["png"].check(ExportOptions(label="a/b"))  # nor a folder


def test_options_of_a_domain(toy_assets: Path) -> None:
    toy = load_domain("toy", toy_assets)
    assert ExportOptions.of(toy) == ExportOptions(label="damaged")
    assert ExportOptions.of(toy, label="scratch").labels == (ClassLabel("scratch"),)
    red = ClassSet.parse([{"name": "rust", "colour": "#ff0000"}])
    rusty = ExportOptions.of(replace(toy, classes=red))
    assert (rusty.label, rusty.labels) == ("rust", (ClassLabel("rust", (255, 0, 0)),))
    several = replace(toy, classes=ClassSet.parse(["crack", "break"]))
    options = ExportOptions.of(several, min_area=3)
    assert [c.name for c in options.labels] == ["crack", "break"]
    assert [c.colour for c in options.labels] == [c.colour for c in several.classes]
    assert options.min_area == 3
    with pytest.raises(OptionError, match="crack, break"):
        ExportOptions.of(several, label="damage")
