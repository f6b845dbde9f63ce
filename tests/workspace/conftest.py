"""A second domain, of two classes."""

from pathlib import Path

import pytest

from tests.workspace_support import add_domain


@pytest.fixture
def pair(toy_assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The assets folder of the domains `toy`, of one class, and `pair`, of two."""
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "toy").symlink_to(toy_assets / "toy")
    add_domain(assets, "pair", [{"name": "crack", "title": "Cracks"}, {"name": "hole"}])
    monkeypatch.setenv("LRPSEG_ASSETS", str(assets))
    return assets
