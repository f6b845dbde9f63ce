"""The examples in docstrings run and give what they say."""

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest

import lrpseg

ROOT = Path(__file__).parents[2]
HELD = {"np": np, "lrpseg": lrpseg}
"""What examples may use without importing it."""


def _with_examples() -> list[str]:
    paths = (p for p in (ROOT / "lrpseg").rglob("*.py") if ">>> " in p.read_text("utf-8"))
    return sorted(
        ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for p in paths
    )


@pytest.mark.parametrize("name", _with_examples())
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    done = doctest.testmod(module, extraglobs=HELD, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert done.attempted > 0
    assert done.failed == 0
