"""A second domain, of two classes."""

from pathlib import Path

import pytest

from tests.workspace_support import add_pair


@pytest.fixture
def pair(toy_assets: Path, only_toy: None) -> None:
    """The domains `toy`, of one class, and `pair`, of two, are the shipped ones."""
    add_pair(toy_assets)
