"""A picture as an export takes it: one mask, or a mask for each class, which may overlap."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lrpseg.formats.errors import FormatError
from lrpseg.formats.names import check_name, stem_of
from lrpseg.formats.options import ExportOptions
from lrpseg.formats.parts import Mask
from lrpseg.masks.corrections import clean


@dataclass(frozen=True, eq=False)
class Annotated:
    """One picture with its mask or masks, as an export takes it.

    name: relative POSIX path of the picture with its suffix, no two alike. mask: (H, W) bool; where
    `layers` is given instead, it becomes their union. probability: of damage, 0 to 1. image: gives
    (H, W, 3) uint8, upright; only called where pictures are copied. stem: name without suffix for
    formats that pair a file with its picture by stem; where two pictures share one, take those of
    `unique_stems`. settings: scalars that say where the mask comes from, for formats that have a
    place for them. layers: class name to (H, W) bool, which may overlap.

    Raises `FormatError` for a name, mask or probability that cannot be.
    """

    name: str
    mask: Mask = None  # type: ignore[assignment]
    probability: float | None = None
    image: Callable[[], NDArray[np.uint8]] | None = None
    stem: str = ""
    settings: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    layers: Mapping[str, Mask] | None = None

    if TYPE_CHECKING:  # what is given may be None, what is there never is

        def __init__(
            self,
            name: str,
            mask: Mask | None = None,
            probability: float | None = None,
            image: Callable[[], NDArray[np.uint8]] | None = None,
            stem: str = "",
            settings: Mapping[str, str | int | float | bool | None] = ...,
            layers: Mapping[str, Mask] | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        check_name(self.name)
        object.__setattr__(self, "stem", check_name(self.stem) if self.stem else stem_of(self.name))
        if (self.mask is None) == (self.layers is None):
            raise FormatError(f"{self.name}: give a mask, or layers: one of the two.")
        if self.layers is not None:
            object.__setattr__(self, "layers", dict(self.layers))
            object.__setattr__(self, "mask", _union(self.name, self.layers))
        _check(self.name, self.mask)
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise FormatError(f"{self.name}: a probability is 0 to 1, not {self.probability}.")


@dataclass(frozen=True, eq=False)
class Layer:
    """The mask of one class in a picture: `index` and `label` are its place in the options'
    `labels` and its name there; `mask` is (H, W) bool."""

    index: int
    label: str
    mask: Mask


def layers_of(picture: Annotated, options: ExportOptions) -> list[Layer]:
    """A layer for each of the options' classes, in their order, without small components.

    Of one class, it is the picture's only mask, whatever that is called. Where the options list no
    classes, it is the union of all.

    Raises:
        FormatError: the picture has one mask and there are several classes, or a layer of a class
            that the options do not list.
    """
    labels = options.labels
    given = picture.layers
    if len(labels) == 1 and (not options.classes or given is None or len(given) == 1):
        return [Layer(0, labels[0].name, clean(picture.mask, options.min_area))]
    names = [entry.name for entry in options.classes]
    if given is None:
        raise FormatError(
            f"{picture.name} has one mask, and there are several classes ({', '.join(names)}). "
            "Give a layer for each of them."
        )
    unknown = given.keys() - set(names)
    if unknown:
        raise FormatError(
            f"{picture.name} has a mask of {', '.join(sorted(unknown))}, and the classes are "
            f"{', '.join(names)}. Add it to the classes, or leave it out."
        )
    empty = np.zeros(picture.mask.shape, bool)
    return [
        Layer(index, entry.name, clean(given.get(name, empty), options.min_area))
        for index, (name, entry) in enumerate(zip(names, labels, strict=True))
    ]


def _union(name: str, layers: Mapping[str, Mask]) -> Mask:
    if not layers:
        raise FormatError(f"{name}: there are no layers. Give one for each class.")
    shape = next(iter(layers.values())).shape
    for label, mask in layers.items():
        _check(f"{name}, {label}", mask)
        if mask.shape != shape:
            raise FormatError(f"{name}: its layers differ in size, {shape} and {mask.shape}.")
    masks = list(layers.values())
    return masks[0] if len(masks) == 1 else np.logical_or.reduce(masks)


def _check(what: str, mask: Mask) -> None:
    if mask.dtype != np.bool_ or mask.ndim != 2 or not mask.size:
        raise FormatError(
            f"{what}: the mask has shape {mask.shape} and type {mask.dtype}. "
            "Give (height, width) of bool, of one pixel at least."
        )
