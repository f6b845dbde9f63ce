"""What is to be done with each picture: one set of choices for a whole run, as JSON holds it."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lrpseg.core.errors import OptionError
from lrpseg.domains import DOMAIN_FILE, load_domain
from lrpseg.formats import FORMATS, ExportOptions
from lrpseg.lrp import DEFAULT_POOLING, DEFAULT_START
from lrpseg.pipeline.operating_points import default_choice, load_operating_points, weights_hash
from lrpseg.pipeline.segmenter import DEFAULT_BATCH, Segmenter, load
from lrpseg.pipeline.tiling import DEFAULT_OVERLAP
from lrpseg.refiners import DEFAULT_REFINER
from lrpseg.version import __version__


@dataclass(frozen=True, kw_only=True)
class Job:
    """The choices of a run; whoever has the same ones writes the same bytes.

    threshold: of the likelihood, None: the thresholder's own. min_probability: of damage, from
    which on a picture gets a mask. only_damaged: others are in the report alone. overlays: also
    write the masks over the pictures.
    """

    domain: str = "magnetic-tile"
    network: str
    rule_set: str
    thresholder: str
    start: str = DEFAULT_START
    pooling: str = DEFAULT_POOLING
    engine: str = "lean"
    overlap: int = DEFAULT_OVERLAP
    batch: int = DEFAULT_BATCH
    threshold: float | None = None
    min_probability: float = 0.5
    only_damaged: bool = False
    formats: tuple[str, ...] = ("png",)
    overlays: bool = False
    refiner: str = DEFAULT_REFINER
    options: ExportOptions = field(default_factory=ExportOptions)
    weights: str = ""

    def __post_init__(self) -> None:
        for name, value in (
            ("threshold", self.threshold), ("minimum probability", self.min_probability)
        ):  # fmt: skip
            if value is not None and not 0 <= value <= 1:
                raise OptionError(f"A {name} is 0 to 1; {value} was given.")
        for name in self.formats:
            FORMATS[name].check(self.options)

    @classmethod
    def make(
        cls,
        domain: str,
        network: str | None = None,
        rule_set: str | None = None,
        thresholder: str | None = None,
        refiner: str | None = None,
        precision: float | None = None,
        recall: float | None = None,
        options: dict[str, Any] | None = None,
        **rest: Any,
    ) -> "Job":
        """A job with the domain's defaults for what is None.

        precision, recall: the threshold becomes the operating point that reaches this much on
        validation pictures. options: fields of `ExportOptions`; the label is the domain's.

        Raises:
            OptionError: a name or value that does not exist, two of threshold, precision and
                recall at once, or a precision or recall that no threshold reaches.
        """
        if sum(x is not None for x in (rest.get("threshold"), precision, recall)) > 1:
            raise OptionError("Give one of --threshold, --precision and --recall.")
        if (Path(domain) / DOMAIN_FILE).is_file():  # as `load_domain` looks for it
            domain = os.path.abspath(domain)  # a run may be opened from another folder
        loaded = load_domain(domain)
        choice = default_choice(loaded, network, rule_set, thresholder, refiner)
        if precision is not None or recall is not None:
            points = load_operating_points(
                domain, network=choice.network, rule_set=choice.rule_set,
                thresholder=choice.thresholder, refiner=choice.refiner,
                start=rest.get("start", DEFAULT_START),
                pooling=rest.get("pooling", DEFAULT_POOLING),
            )  # fmt: skip
            point = (
                points.at_precision(precision)
                if precision is not None
                else points.at_recall(float(recall or 0))
            )
            rest["threshold"] = point.threshold
        return cls(
            domain=domain, network=choice.network, rule_set=choice.rule_set,
            thresholder=choice.thresholder, refiner=choice.refiner,
            options=ExportOptions.of(loaded, **(options or {})),
            weights=weights_hash(loaded, choice.network), **rest,
        )  # fmt: skip

    def segmenter(self, device: str = "auto") -> Segmenter:
        """The segmenter that does the job."""
        return load(
            self.domain, network=self.network, rule_set=self.rule_set,
            thresholder=self.thresholder, refiner=self.refiner, start=self.start,
            pooling=self.pooling, engine=self.engine, device=device, batch=self.batch,
            overlap=self.overlap,
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """All choices and the version, as JSON types."""
        return json.loads(json.dumps({**asdict(self), "lrpseg": __version__}))

    @classmethod
    def of_json(cls, stored: dict[str, Any]) -> "Job":
        """The reverse of `as_json`."""
        values = {k: v for k, v in stored.items() if k in cls.__dataclass_fields__}
        options = ExportOptions(**values.pop("options"))
        return cls(**values | {"options": options, "formats": tuple(stored["formats"])})
