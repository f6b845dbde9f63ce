"""What a domain's folder declares about its pictures, in `data.toml` beside `domain.json`.

    reader = "folder"           # a name in training.data.readers.READERS
    splits = "split.json"       # the file beside the pictures that divides them
    [classes]                   # of a domain with several: folder of pictures = class
    cracks = "crack"

Without the file: the reader that is called as the domain, else "folder".
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lrpseg.domains import DOMAIN_FILE, Domain, Normalisation, list_domains, load_domain
from lrpseg.models.contract import DAMAGED
from training.data.datasets import DataError, DataSet, Example
from training.data.readers import READERS, DataPlan

DATA_FILE = "data.toml"


@dataclass(frozen=True)
class Subject:
    """What is trained for: a domain, or a name that none has yet, as `--domain` takes it.

    classes: names of the kinds of damage. normalisation: of the input. domain: None where there is
    none yet: then the usual normalisation, one class, and pictures as of the name's reader, or of
    a user's own folder.
    """

    name: str
    plan: DataPlan
    classes: tuple[str, ...] = DAMAGED
    normalisation: Normalisation = field(default_factory=Normalisation)
    domain: Domain | None = None

    @classmethod
    def of(cls, name: str) -> "Subject":
        """Raises `OptionError` or `DataError` where the domain's files cannot be used."""
        if (Path(name) / DOMAIN_FILE).is_file() or name in list_domains():
            return cls.known(load_domain(name))
        return cls(name, DataPlan(name if name in READERS else "folder"))

    @classmethod
    def known(cls, domain: Domain) -> "Subject":
        """Raises `DataError` where the domain's `data.toml` cannot be used."""
        plan = data_plan(domain)
        return cls(domain.name, plan, domain.classes.names, domain.normalisation, domain)

    def read(self, root: Path, seed: int = 0) -> DataSet:
        """Its data set at `root`; see `DataPlan.read`."""
        return self.plan.read(root, seed)


def data_plan(domain: Domain) -> DataPlan:
    """How the domain's pictures are read; a domain that was learned has its base's.

    Raises `DataError`: the file names what is not there, or lacks the folders of several classes.
    """
    home = domain.base or domain
    path = home.folder / DATA_FILE
    plan = _parse(path) if path.is_file() else _usual(home)
    named = set(plan.classes.values())
    several = set(domain.classes.names) if len(domain.classes) > 1 else set()
    if named != several:
        raise DataError(
            f"{path}: [classes] maps folders of pictures to the classes "
            f"{', '.join(sorted(several))} of {DOMAIN_FILE}, each of them; it names "
            f"{', '.join(sorted(named)) or 'none'}."
            if several
            else f"{path}: [classes] is for domains with several classes; {home.name} has one."
        )
    return plan


def read_domain(domain: Domain, root: Path, seed: int = 0, reader: str | None = None) -> DataSet:
    """The domain's data set at `root`, or as the reader of that name reads it."""
    return (data_plan(domain) if reader is None else DataPlan(reader)).read(root, seed)


def read_split(domain: Domain, root: Path, split: str, seed: int = 0) -> tuple[Example, ...]:
    """The pictures of a split of the domain's data set; raises `DataError` where it has none."""
    found = tuple(read_domain(domain, root, seed).splits.get(split, ()))
    if not found:
        raise DataError(f"The split {split!r} of {domain.name} has no pictures in {root}.")
    return found


def _usual(domain: Domain) -> DataPlan:
    if len(domain.classes) > 1:  # folders that are called as the classes
        return DataPlan(classes={name: name for name in domain.classes.names})
    return DataPlan(domain.name if domain.name in READERS else "folder")


def _parse(path: Path) -> DataPlan:
    try:
        held: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    wanted: dict[str, type] = {"reader": str, "splits": str, "classes": dict}
    for key, value in held.items():
        if key not in wanted:
            raise DataError(f"{path}: there is no key {key!r}; known are {', '.join(wanted)}.")
        if not isinstance(value, wanted[key]):
            raise DataError(f"{path}: {key!r} is {value!r}, which is no {wanted[key].__name__}.")
    READERS[held.get("reader", "folder")]
    if not all(isinstance(value, str) for value in held.get("classes", {}).values()):
        raise DataError(f"{path}: [classes] maps each folder to the name of a class.")
    return DataPlan(**held)
