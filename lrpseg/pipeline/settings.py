"""Settings: all that decides a result, in one frozen dataclass.

A field is declared once, here, with its title, its help and the registry of its values. Everything
that offers or stores settings is made from these declarations: `lrpseg.load`, the options of the
command line, the page's menus, the endpoints' arguments, provenance, the plans of runs, the keys of
stored analyses and the names of operating curves. To add a field, add it to `Settings`.
"""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import wraps
from typing import Any, TypeVar

from lrpseg.core.errors import OptionError
from lrpseg.core.registry import Registry
from lrpseg.lrp import DEFAULT_POOLING, DEFAULT_START, ENGINES, POOLINGS, RULE_SETS, STARTS
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.looking import TILINGS
from lrpseg.pipeline.testifying import NO_WITNESS, WITNESSES
from lrpseg.pipeline.tiling import DEFAULT_OVERLAP
from lrpseg.refiners import DEFAULT_REFINER, REFINERS
from lrpseg.thresholders import THRESHOLDERS

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Option:
    """What one field of `Settings` is, to people and to programs.

    title: of its menu. help: one sentence for a lay user. usage: the same for the command line.
    registry: of its values; None: it is no name in a registry. flag: on the command line. best:
    where nobody chooses, it is what made the best masks (`lrpseg.pipeline.defaults`). evidence: it
    decides what the networks give; else only what thresholder and refiner make of that. measured:
    operating points are of one value of it. menu: the page offers it. found: it decides what is
    found; else only how, as an engine does, and nobody else's file sets it.
    """

    title: str
    help: str
    usage: str
    flag: str
    registry: Registry[Any] | None = None
    best: bool = False
    evidence: bool = True
    measured: bool = True
    menu: bool = False
    found: bool = True
    keyed: bool = True

    @property
    def kind(self) -> type:
        """The type of its values."""
        return int if self.registry is None and not self.found else str


def option(default: Any = None, **declared: Any) -> Any:
    """A field of `Settings`; without `default` it must be given. For `declared` see `Option`."""
    about = {"option": Option(**declared)}
    return field(metadata=about) if default is None else field(default=default, metadata=about)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides a result. Values are names in the registry of their kind, but for `domain` (a
    domain's name or folder) and `overlap` (pixels).

    >>> best = {"network": "one-fc", "rule_set": "ours", "thresholder": "bmm"}
    >>> settings = Settings(domain="magnetic-tile", **best)
    >>> settings.refiner, settings.but(thresholder="gmm", refiner=None).thresholder
    ('none', 'gmm')
    """

    domain: str = option(
        title="Domain",
        help="What is on the picture. Each kind of surface has networks of its own.",
        usage="what is inspected: a name, or a folder with a domain.json",
        flag="--domain",
        measured=False,
        menu=True,
    )
    network: str = option(
        title="Network",
        help="What decides between damaged and intact; some also mark the pixels themselves.",
        usage="what decides between damaged and intact; some also mark pixels",
        flag="--network",
        registry=NETWORKS,
        best=True,
        menu=True,
    )
    rule_set: str = option(
        title="LRP rule set",
        help="How the decision is traced back to pixels (layer-wise relevance propagation).",
        usage="the LRP rules",
        flag="--rule-set",
        registry=RULE_SETS,
        best=True,
        menu=True,
    )
    thresholder: str = option(
        title="Thresholder",
        help="How the heatmap becomes a likelihood of damage for each pixel.",
        usage="how the heatmap becomes a mask",
        flag="--thresholder",
        registry=THRESHOLDERS,
        best=True,
        evidence=False,
        menu=True,
    )
    refiner: str = option(
        DEFAULT_REFINER,
        title="Refiner",
        help="How the picture itself improves the likelihood: where damage begins and ends.",
        usage="how the picture itself improves the likelihood",
        flag="--refiner",
        registry=REFINERS,
        best=True,
        evidence=False,
        menu=True,
    )
    witness: str = option(
        NO_WITNESS,
        title="Witness",
        help="A second opinion, from a network that was never told of damage. Where the two "
        "disagree, the picture is doubtful.",
        usage="who else is asked whether there is damage",
        flag="--witness",
        registry=WITNESSES,
        menu=True,
    )
    start: str = option(
        DEFAULT_START,
        title="Start of relevance",
        help="Which output of the network is explained.",
        usage="where relevance starts",
        flag="--start",
        registry=STARTS,
    )
    pooling: str = option(
        DEFAULT_POOLING,
        title="Pooling",
        help="How relevance passes a max-pool.",
        usage="how relevance passes a max-pool",
        flag="--pooling",
        registry=POOLINGS,
    )
    engine: str = option(
        "lean",
        title="Engine",
        help="What computes relevance.",
        usage="what computes LRP",
        flag="--lrp-engine",
        registry=ENGINES,
        measured=False,
        found=False,
    )
    overlap: int = option(
        DEFAULT_OVERLAP,
        title="Overlap",
        help="Least overlap of neighbouring tiles in pixels.",
        usage="least overlap of the tiles in pixels",
        flag="--overlap",
        measured=False,
        found=False,
    )
    tiling: str = option(
        "quick",
        title="Tiling",
        help="Whether tiles are looked at first, so that surely intact ones run no more.",
        usage="a first look that spares surely intact tiles; quick: at all, in 8 bits where the "
        "processor has them, else as windows; windows: at those of large pictures, together; "
        "tiles: none",
        flag="--tiling",
        registry=TILINGS,
        measured=False,
        found=False,
        keyed=False,
    )

    def as_json(self) -> str:
        """As JSON text, for people."""
        return json.dumps(asdict(self), indent=2)

    def evidence(self) -> dict[str, Any]:
        """The fields that decide what the networks give; thresholder and refiner come after."""
        return {name: getattr(self, name) for name, o in OPTIONS.items() if o.evidence}

    def but(self, **changes: Any) -> "Settings":
        """The same with other values where `changes` has one that is not None.

        Raises `OptionError` for a name that does not exist.
        """
        wanted = {name: value for name, value in changes.items() if value is not None}
        checked(wanted)
        return replace(self, **wanted)


OPTIONS: dict[str, Option] = {f.name: f.metadata["option"] for f in fields(Settings)}
"""What each field is, by its name."""

DEFAULTS: dict[str, Any] = {
    f.name: f.default for f in fields(Settings) if isinstance(f.default, str | int)
}
"""Values of the fields that need not be given. Those that are `best` are hardly ever these."""

BEST = tuple(name for name, o in OPTIONS.items() if o.best)
"""Fields whose default is what made the best masks."""

MEASURED = tuple(name for name, o in OPTIONS.items() if o.measured)
"""Fields that name an operating curve within a domain."""

MENUS = tuple(name for name, o in OPTIONS.items() if o.menu)
"""Fields that the page offers, in the order of its menus."""


def checked(given: Mapping[str, Any]) -> None:
    """Raise `OptionError` where a name in `given` is no field, or a value is not in its
    registry."""
    for name, value in given.items():
        if name not in OPTIONS:
            raise OptionError(f"There is no setting {name!r}. Choose among: {', '.join(OPTIONS)}.")
        registry = OPTIONS[name].registry
        if registry is not None:
            registry[value]


def taking(
    *names: str, default: Any = None, annotation: Any = None, order: Sequence[str] = ()
) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Give a function whose last parameter is `**choices` one parameter for each of the fields
    `names` instead, for whoever calls it or looks at its signature: completion, help, endpoints.

    The line "{choices}" of its docstring becomes a line for each of them.

    Args:
        default, annotation: of each; without them None, and its type or None.
        order: names of parameters that come first, in this order, where callers pass them by
            position.
    """

    def with_choices(fn: Callable[..., T]) -> Callable[..., T]:
        signature = inspect.signature(fn)
        kept = {n: p for n, p in signature.parameters.items() if p.kind is not p.VAR_KEYWORD}
        keyword = any(p.kind is p.KEYWORD_ONLY for p in kept.values())
        kind = (
            inspect.Parameter.KEYWORD_ONLY if keyword else inspect.Parameter.POSITIONAL_OR_KEYWORD
        )
        added = {
            name: inspect.Parameter(
                name, kind, default=default, annotation=annotation or (OPTIONS[name].kind | None)
            )
            for name in names
        }
        every = {**kept, **added}
        ordered = [*order, *(name for name in every if name not in order)]
        made = signature.replace(parameters=[every[name] for name in ordered])

        @wraps(fn)
        def wrapper(*args: Any, **kwargs: Any) -> T:
            return fn(**made.bind(*args, **kwargs).arguments)

        wrapper.__signature__ = made  # type: ignore[attr-defined]
        wrapper.__annotations__ = {
            **{p.name: p.annotation for p in made.parameters.values()},
            "return": signature.return_annotation,
        }
        if fn.__doc__ and "{choices}" in fn.__doc__:
            indent = fn.__doc__.split("{choices}")[0].rpartition("\n")[2]
            lines = (f"{name}: {_documented(OPTIONS[name])}" for name in names)
            wrapper.__doc__ = fn.__doc__.replace("{choices}", f"\n{indent}".join(lines))
        return wrapper

    return with_choices


def _documented(entry: Option) -> str:
    names = "" if entry.registry is None else f" ({', '.join(entry.registry)})"
    return f"{entry.usage}{names}."
