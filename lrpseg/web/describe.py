"""What the browser is told about a picture, as JSON types: status, levels, points and verdict."""

from dataclasses import asdict
from functools import lru_cache
from typing import Any

import numpy as np

from lrpseg.app import words
from lrpseg.app.service import Service
from lrpseg.app.views import analysis_name, nearest_level, operating_points, view_size
from lrpseg.domains import Domain, known_domain
from lrpseg.domains.classes import ClassSet, DamageClass
from lrpseg.masks.render import COLORMAPS, blend
from lrpseg.pipeline.operating_curve import OperatingPoints
from lrpseg.workspace import Item, ItemLayer, Workspace


def summary(item: Item) -> dict[str, Any]:
    """What the strip of thumbnails shows."""
    return {
        "id": item.id,
        "name": item.name,
        "status": item.status,
        "reason": item.reason,
        "read": item.read.splitlines(),
        "probability": item.probability,
        "doubtful": item.doubtful,
        "width": item.width,
        "height": item.height,
        "revision": item.revision,
        "analysis": analysis_name(item) if item.analysis else None,
        "tiles_done": item.tiles_done,
        "tiles": item.tiles,
    }


def details(service: Service, workspace: Workspace, item: Item) -> dict[str, Any]:
    """All that the editor needs beside the maps. What is said of the picture is that of its first
    class; `layers` has the same for each class."""
    height, width = view_size(item.height, item.width)
    domain = known_domain(item.settings.domain)
    layers = [_layer(service, workspace, item, layer, domain) for layer in item.layers]
    first = {name: value for name, value in layers[0].items() if name not in _CLASS}
    return (
        summary(item)
        | first
        | {
            "explained": item.explained,
            "evidence": workspace.has_evidence(item),
            "verdict": words.verdict(item, domain),
            "view_width": width,
            "view_height": height,
            "colourbars": colourbars(),
            "choice": asdict(item.settings) | {"explain_intact": item.explain_intact},
            "layers": layers,
        }
    )


_CLASS = ("name", "title", "colour", "key", "probability")


def _layer(
    service: Service, workspace: Workspace, item: Item, layer: ItemLayer, domain: Domain | None
) -> dict[str, Any]:
    """One class of a picture: what it is called, its thresholds, and what to expect of them."""
    levels = service.levels.of(workspace, item, layer.name)
    points = operating_points(item.settings, layer.name)
    chosen = layer.own_threshold if layer.threshold is None else layer.threshold
    entry = _class(layer.name, domain)
    return {
        "name": entry.name,
        "title": entry.title,
        "colour": "#{:02x}{:02x}{:02x}".format(*entry.colour),
        "key": entry.key,
        "probability": layer.probability,
        "explained": layer.explained,
        "levels": [float(v) for v in levels.values],
        "level": nearest_level(levels.values, chosen),
        "own_level": nearest_level(levels.values, layer.own_threshold),
        "min_area": layer.min_area,
        "max_hole": layer.max_hole,
        "has_truth": layer.has_truth,
        "points": _points_json(points),
        "note": words.points_note(points, item, workspace.image(item.id) if points else None),
    }


def _class(name: str, domain: Domain | None) -> DamageClass:
    if domain is not None and name in domain.classes:
        return domain.classes[name]
    return ClassSet.parse([name])[0]  # its domain is gone, or has it no more


def _points_json(points: OperatingPoints | None) -> dict[str, Any] | None:
    if points is None:
        return None
    return {
        "curve": [asdict(p) for p in points.curve],
        "split": points.split,
        "images": points.images,
        "regions": points.regions,
        "stale": points.stale,
    }


@lru_cache(maxsize=1)
def colourbars() -> dict[str, list[str]]:
    """16 colours of each colormap, from its lowest relevance to its highest."""
    ramp = {"signed": np.linspace(-1, 1, 16), "positive": np.linspace(0, 1, 16)}
    bars = {}
    for name in COLORMAPS:
        row = ramp.get(name, ramp["signed"]).astype(np.float32)[None]
        drawn = blend(np.full((1, 16, 3), 128, np.uint8), row, name, opacity=1)[0]
        bars[name] = ["#{:02x}{:02x}{:02x}".format(*rgb) for rgb in drawn.tolist()]
    return bars
