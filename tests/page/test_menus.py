"""What the menus offer beside a domain; no browser."""

from pathlib import Path

from lrpseg.domains import load_domain
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.settings import MENUS
from lrpseg.ui import choices
from tests.narrow import narrow_tiles
from tests.small_witness import give_witness


def test_the_witness_is_offered_where_a_domain_has_one(tmp_path: Path) -> None:
    place = MENUS.index("witness")
    with narrow_tiles(tmp_path):
        before = default_settings(load_domain("magnetic-tile"))
        menu = choices.menus(before)[place]
        assert menu["choices"] == [("None", "none")]
        assert menu["visible"] is False
        give_witness(tmp_path / "magnetic-tile")
        menu = choices.menus(before)[place]  # a picture of before: none was asked
        assert menu["value"] == "none"
        assert menu["visible"] is True
        now = default_settings(load_domain("magnetic-tile"))
        menu = choices.menus(now)[place]
        assert menu["choices"] == [("None", "none"), ("DINOv2", "dinov2")]
        assert menu["value"] == "dinov2"
        assert choices.offered("witness", "magnetic-tile") == menu["choices"]


def test_a_witness_that_is_gone_is_still_told(tmp_path: Path) -> None:
    with narrow_tiles(tmp_path):
        settings = default_settings(load_domain("magnetic-tile")).but(witness="dinov2")
        menu = choices.menus(settings)[MENUS.index("witness")]
        assert ("DINOv2", "dinov2") in menu["choices"]
        assert menu["visible"] is True
