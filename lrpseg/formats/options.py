"""How masks are exported: classes with their names and colours, and the choices of all formats."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lrpseg.core.errors import OptionError
from lrpseg.formats.names import folded
from lrpseg.masks.render import MASK_COLOUR
from lrpseg.version import __version__

if TYPE_CHECKING:  # it brings PyTorch along, which no format needs
    from lrpseg.domains import Domain

Colour = tuple[int, int, int]

MAX_CLASSES = 255
"""An 8-bit picture tells so many classes and the background apart."""


@dataclass(frozen=True)
class ClassLabel:
    """A class as files name it. colour: (r, g, b), 0 to 255 each, where a format has a place for
    it; raises `OptionError` for a name or colour that cannot be."""

    name: str
    colour: Colour = MASK_COLOUR

    def __post_init__(self) -> None:
        check_label(self.name)
        colour = tuple(self.colour)  # JSON has lists
        if len(colour) != 3 or not all(isinstance(c, int) and 0 <= c <= 255 for c in colour):
            raise OptionError(
                f"The colour of {self.name!r} is three whole numbers of 0 to 255, not {colour}."
            )
        object.__setattr__(self, "colour", colour)

    @property
    def hex(self) -> str:
        """The colour as "#0072B2"."""
        return "#{:02X}{:02X}{:02X}".format(*self.colour)


@dataclass(frozen=True)
class ExportOptions:
    """How masks are exported.

    per_component: one annotation for each 8-connected component, else one for each mask (polygons
    are one for each component in any case). min_area: components of fewer pixels are left out.
    label: class name of damage where there is one class; "": the class's own, and "damage" where
    `classes` is empty. image_url: where Label Studio finds a picture; `{name}` stands for its name,
    quoted for URLs. copy_pictures: lay the upright pictures beside the annotations, as PNG, where
    the format has a place for them. model_version: what Label Studio shows. classes: in the order
    in which formats number them; empty: one class, `label` in the usual colour, which takes the
    union of a picture's layers. ended: pictures that are copied get names of which none begins with
    another one, where a format's tool pairs files by their order (`mvtec`).

    >>> options = ExportOptions(classes=(ClassLabel("crack"), ClassLabel("hole", (230, 159, 0))))
    >>> [(entry.name, entry.hex) for entry in options.labels]
    [('crack', '#0072B2'), ('hole', '#E69F00')]
    """

    per_component: bool = False
    min_area: int = 0
    label: str = ""
    image_url: str = "/data/local-files/?d={name}"
    copy_pictures: bool = False
    model_version: str = f"lrpseg-{__version__}"
    classes: tuple[ClassLabel, ...] = ()
    ended: bool = False

    def __post_init__(self) -> None:
        classes = tuple(c if isinstance(c, ClassLabel) else ClassLabel(**c) for c in self.classes)
        object.__setattr__(self, "classes", classes)  # objects where JSON was read
        if not self.label:
            own = classes[0].name if len(classes) == 1 else "damage"
            object.__setattr__(self, "label", own)
        check_label(self.label)
        twice = [n for n, count in Counter(folded(c.name) for c in classes).items() if count > 1]
        if twice:
            raise OptionError(f"Two classes are called {twice[0]!r}. Give each a name of its own.")
        if len(classes) > MAX_CLASSES:
            raise OptionError(f"{len(classes)} classes; formats hold up to {MAX_CLASSES}.")
        if self.min_area < 0:
            raise OptionError(f"The minimum area is 0 pixels or more; {self.min_area} was given.")
        if "{name}" not in self.image_url or not self.image_url.isprintable():
            raise OptionError(
                f"The image URL {self.image_url!r} lacks {{name}}, which stands for the picture."
            )

    @property
    def labels(self) -> tuple[ClassLabel, ...]:
        """The classes as files name them, at least one; of one class, `label` is the name."""
        if len(self.classes) > 1:
            return self.classes
        return (ClassLabel(self.label, *(c.colour for c in self.classes)),)

    @classmethod
    def of(cls, domain: "Domain", **changes: Any) -> "ExportOptions":
        """Options with the domain's classes; `label` in `changes` renames the only one.

        Raises `OptionError` where the domain has several classes and one label is given.
        """
        classes = tuple(ClassLabel(c.name, c.colour) for c in domain.classes)
        if len(classes) > 1 and changes.get("label"):
            names = ", ".join(c.name for c in classes)
            raise OptionError(f"The domain has several classes ({names}): leave the label out.")
        if len(classes) == 1 and classes[0].colour == MASK_COLOUR:
            # As before there were several: plans of earlier runs hold equal options.
            return cls(**{"label": classes[0].name, **changes})
        return cls(**{"classes": classes, **changes})


def check_label(name: str) -> str:
    """`name`, if all formats can hold it as that of a class; raises `OptionError`."""
    if not name.strip() or not name.isprintable() or name != name.strip():
        raise OptionError(
            f"{name!r} cannot be a class name. Give printable text without spaces around."
        )
    return name


def check_folders(options: ExportOptions, *reserved: str) -> None:
    """Raise `OptionError` where a class's name cannot be that of a folder, or is `reserved`."""
    for entry in options.labels:
        name = entry.name
        if "/" in name or "\\" in name or name in (".", "..", *reserved):
            taken = f" that is not {' or '.join(map(repr, reserved))}" if reserved else ""
            raise OptionError(
                f"The class name {name!r} cannot be a folder. Choose one without slashes{taken}."
            )
