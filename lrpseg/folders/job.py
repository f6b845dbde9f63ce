"""What is to be done with each picture: one set of choices for a whole run, as JSON holds it."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lrpseg.core.depth import DEPTHS
from lrpseg.core.errors import OptionError
from lrpseg.domains import DOMAIN_FILE, Domain, load_domain
from lrpseg.formats import FORMATS, ExportOptions
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.loading import DEFAULT_BATCH, load
from lrpseg.pipeline.operating_points import load_operating_points, weights_hash
from lrpseg.pipeline.segmenter import Segmenter
from lrpseg.pipeline.settings import MEASURED, OPTIONS, Settings
from lrpseg.version import __version__

Threshold = float | Mapping[str, float] | None
"""Of the likelihood: one for all classes, one for each class, or the thresholder's own (None)."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """The choices of a run; whoever has the same ones writes the same bytes.

    min_probability: of damage, from which on a picture gets a mask. only_damaged: others are in the
    report alone. overlays: also write the masks over the pictures. weights: hashes of the files
    that decide. bits: that the values of 16-bit files have; None: as each file says, or by its
    values.
    """

    settings: Settings
    batch: int = DEFAULT_BATCH
    threshold: Threshold = None
    min_probability: float = 0.5
    only_damaged: bool = False
    formats: tuple[str, ...] = ("png",)
    overlays: bool = False
    options: ExportOptions = field(default_factory=ExportOptions)
    weights: str = ""
    bits: int | None = None

    def __post_init__(self) -> None:
        thresholds = (
            self.threshold.values() if isinstance(self.threshold, Mapping) else [self.threshold]
        )
        for name, value in (
            *(("threshold", value) for value in thresholds),
            ("minimum probability", self.min_probability),
        ):
            if value is not None and not 0 <= value <= 1:
                raise OptionError(f"A {name} is 0 to 1; {value} was given.")
        if self.bits is not None and self.bits not in DEPTHS:
            raise OptionError(f"Pictures have 8 to 16 bits; {self.bits} was given.")
        for name in self.formats:
            FORMATS[name].check(self.options)

    @classmethod
    def make(
        cls,
        domain: str,
        *,
        precision: float | None = None,
        recall: float | None = None,
        options: Mapping[str, Any] | None = None,
        **chosen: Any,
    ) -> "Job":
        """A job with the domain's defaults for what is not chosen.

        precision, recall: the threshold of each class becomes the operating point that reaches this
        much on validation pictures. options: fields of `ExportOptions`; class names are the
        domain's. chosen: fields of `Settings` (None: not chosen) and of `Job`.

        Raises:
            OptionError: a name or value that does not exist, two of threshold, precision and
                recall at once, or a precision or recall that no threshold reaches.
        """
        rest = {name: value for name, value in chosen.items() if name not in OPTIONS}
        choices = {name: value for name, value in chosen.items() if name in OPTIONS}
        if sum(x is not None for x in (rest.get("threshold"), precision, recall)) > 1:
            raise OptionError("Give one of --threshold, --precision and --recall.")
        if (Path(domain) / DOMAIN_FILE).is_file():  # as `load_domain` looks for it
            domain = os.path.abspath(domain)  # a run may be opened from another folder
        loaded = load_domain(domain)
        settings = default_settings(loaded, domain=domain, **choices)
        if precision is not None or recall is not None:
            rest["threshold"] = _measured_threshold(loaded, settings, precision, recall)
        return cls(
            settings=settings,
            options=ExportOptions.of(loaded, **(options or {})),
            weights=weights_hash(loaded, settings),
            **rest,
        )

    def segmenter(self, device: str = "auto") -> Segmenter:
        """The segmenter that does the job."""
        return load(**asdict(self.settings), device=device, batch=self.batch)

    def as_json(self) -> dict[str, Any]:
        """All choices and the version, as JSON types; settings lie beside the others."""
        values = asdict(self)
        settings = values.pop("settings")
        return json.loads(json.dumps({**settings, **values, "lrpseg": __version__}))

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> "Job":
        """The reverse of `as_json`, also for what an older version stored."""
        settings = Settings(**{name: stored[name] for name in OPTIONS if name in stored})
        values = {k: v for k, v in stored.items() if k in cls.__dataclass_fields__}
        values["settings"] = settings
        values["options"] = ExportOptions(**stored["options"])
        values["formats"] = tuple(stored["formats"])
        return cls(**values)


def _measured_threshold(
    domain: Domain, settings: Settings, precision: float | None, recall: float | None
) -> Threshold:
    """Where each class reaches a precision or a recall; one value where there is one class."""
    found = {}
    for name in domain.classes.names:
        chosen = {field: getattr(settings, field) for field in MEASURED}
        points = load_operating_points(settings.domain, class_name=name, **chosen)
        point = (
            points.at_precision(precision)
            if precision is not None
            else points.at_recall(float(recall or 0))
        )
        found[name] = point.threshold
    return found if len(found) > 1 else next(iter(found.values()))
