"""A domain's file of operating points: where it is, and the curves in it by what they are of."""

import json
from pathlib import Path
from typing import Any

from lrpseg.domains import Domain
from lrpseg.pipeline.settings import DEFAULTS, MEASURED

FILE_NAME = "operating-points.json"
FORMAT = 2
"""Version of the file's layout; a file of another one is refused."""

UNION = ""
"""The class of a curve that is of all classes together, or of the only one."""

UNUSABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError)
"""What reading a file of another layout may raise."""

Names = tuple[str, ...]
"""Values of the fields `MEASURED`, in their order."""


def operating_points_file(domain: Domain) -> Path:
    """Where a domain's operating points are: beside its `domain.json`; the file may be missing.

    Those of a domain that was learned are its base's, for the networks that come from there.
    """
    return (domain.base or domain).folder / FILE_NAME


def read_curves(
    path: Path, class_name: str = UNION
) -> tuple[dict[str, Any], dict[Names, dict[str, Any]]]:
    """The file, and the curves in it that are of the class `class_name`.

    Raises `OSError`, or one of `UNUSABLE` for a file of another layout.
    """
    held = json.loads(path.read_text("utf-8"))
    if held["format"] != FORMAT:
        raise ValueError(f"its format is {held['format']!r}, not {FORMAT}")
    curves = {
        # A field that is younger than the file had its default.
        tuple(entry[n] if n in entry else DEFAULTS[n] for n in MEASURED): entry
        for entry in held["curves"]
        if entry.get("class", UNION) == class_name
    }
    return held, curves


def own_iou(curve: dict[str, Any]) -> float:
    """Mean IoU at the thresholder's own thresholds, 0 to 1; -1 where the curve cannot be used."""
    try:
        return float(curve["own"]["iou"][0])
    except UNUSABLE:
        return -1.0


def measured_curves(domain: Domain) -> dict[Names, dict[str, Any]]:
    """The curves of a domain's file; empty where it is missing or cannot be used: a default is no
    reason to fail, `load_operating_points` says what is wrong."""
    try:
        return read_curves(operating_points_file(domain))[1]
    except (OSError, *UNUSABLE):
        return {}
