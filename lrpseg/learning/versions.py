"""Learned networks on disk: each a domain of its own, named after its base and numbered.

    FOLDER/magnetic-tile-v1/domain.json               title, base, checkpoint
    FOLDER/magnetic-tile-v1/self-trained.safetensors
    FOLDER/magnetic-tile-v1/learned.json              what it learned from, and how good it is
    FOLDER/magnetic-tile-v1/self-trained.md           the same as a model card
    FOLDER/numbers.json                               the last number of each base

A version is written beside its place and moved there when it is whole. Numbers are never used
twice: pictures that were made with a version that is gone must not be taken for another's.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from lrpseg.core.errors import LrpsegError, OptionError
from lrpseg.core.files import atomically, sync_folder, writing
from lrpseg.domains import DOMAIN_FILE, Domain, learned_domains, learned_folder, load_domain
from lrpseg.masks.render import save_text
from lrpseg.models.checkpoints import save_checkpoint
from lrpseg.models.self_trained import SelfTrained

NETWORK = "self-trained"
REPORT = "learned.json"
_NUMBERS = "numbers.json"


def save_version(
    base: Domain, model: SelfTrained, title: str, report: dict[str, Any], card: str
) -> Domain:
    """Write the next version of `base`, which has no base itself, and return it.

    Args:
        report: as JSON holds it. card: Markdown. "{name}" in the card and "{version}" in the card
            and the title become "magnetic-tile-v3" and "v3".

    Raises:
        LrpsegError: there is no folder for learned domains, or it cannot be written to.
    """
    folder = _folder()
    with writing(folder, "Set $LRPSEG_DOMAINS to another folder."):
        return _save(folder, base, model, title, report, card)


def _save(
    folder: Path, base: Domain, model: SelfTrained, title: str, report: dict[str, Any], card: str
) -> Domain:
    folder.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder, prefix=f".{base.name}-"))
    try:
        about = {"learned": json.dumps(report)}
        save_checkpoint(model, part / f"{NETWORK}.safetensors", NETWORK, about)
        save_text(json.dumps(report, indent=1) + "\n", part / REPORT)
        entry = {
            # A shipped domain is found by its name, another one by its folder.
            "based_on": base.name if _is_shipped(base) else str(base.folder.resolve()),
            "checkpoints": {NETWORK: f"{NETWORK}.safetensors"},
        }
        number = _next_number(folder, base.name)
        while True:
            version = f"v{number}"
            name = f"{base.name}-{version}"
            titled = {"title": title.replace("{version}", version), **entry}
            save_text(json.dumps(titled, indent=2) + "\n", part / DOMAIN_FILE)
            text = card.replace("{name}", name).replace("{version}", version)
            save_text(text, part / f"{NETWORK}.md")
            part.chmod(0o755)
            try:
                os.rename(part, folder / name)  # fails where another process was faster
                sync_folder(folder)
                break
            except OSError:
                if not (folder / name).exists():
                    raise
                number += 1
        _note_number(folder, base.name, number)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return load_domain(folder / name)


def forget_version(name: str) -> None:
    """Delete a learned domain.

    Raises:
        OptionError: there is no learned domain of that name.
    """
    if name not in learned_domains():
        known = ", ".join(learned_domains()) or "none"
        raise OptionError(f"{name!r} was not learned here. Those that were: {known}.")
    folder = _folder()
    base, _, number = name.rpartition("-v")
    if number.isdigit():
        _note_number(folder, base, int(number))
    gone = Path(tempfile.mkdtemp(dir=folder, prefix=f".{name}-"))
    os.rename(folder / name, gone / name)  # at once, so that nobody finds half of it
    shutil.rmtree(gone, ignore_errors=True)


def read_report(name: str) -> dict[str, Any]:
    """What learned.json of a learned domain holds; empty where it cannot be read."""
    try:
        return json.loads((_folder() / name / REPORT).read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _folder() -> Path:
    folder = learned_folder()
    if folder is None:
        raise LrpsegError(
            "Nothing is learned here: $LRPSEG_DOMAINS is empty. Set it to a folder, or unset it."
        )
    return folder


def _is_shipped(base: Domain) -> bool:
    try:
        return load_domain(base.name).folder == base.folder
    except OptionError:
        return False


def _numbers(folder: Path) -> dict[str, int]:
    try:
        return {str(k): int(v) for k, v in json.loads((folder / _NUMBERS).read_text()).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _next_number(folder: Path, base: str) -> int:
    there = [p.name.removeprefix(f"{base}-v") for p in folder.glob(f"{base}-v*")]
    used = [int(n) for n in there if n.isdigit()]
    return max([0, _numbers(folder).get(base, 0), *used]) + 1


def _note_number(folder: Path, base: str, number: int) -> None:
    numbers = _numbers(folder)
    numbers[base] = max(number, numbers.get(base, 0))
    text = json.dumps(numbers).encode()
    atomically(folder / _NUMBERS, lambda f: f.write(text))
