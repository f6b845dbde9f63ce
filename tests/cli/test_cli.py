"""The command line, and the pictures that are drawn of results."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lrpseg.cli.main import main
from lrpseg.formats import FORMATS
from lrpseg.formats.reading import READERS
from lrpseg.masks.render import heatmap, overlay, save_png
from lrpseg.models.networks import NETWORKS
from tests.pipeline.test_segmenter import grey_as_relevance


@pytest.fixture
def toy(toy_assets: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LRPSEG_ASSETS", str(toy_assets))
    return toy_assets


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["annotate", "nothing.png", "--out", "o", "--domain", "toy"], "no such file"),
        (["annotate", ".", "--out", "o", "--domain", "moon"], "toy"),
        (["annotate", ".", "--out", "o", "--domain", "toy", "--threshold", "2"], "0 to 1"),
        (["annotate", ".", "--out", "o", "--domain", "toy", "--network", "128n"], "one-fc"),
        (["annotate", ".", "--out", "o", "--domain", "toy", "--overlap", "300"], "0 to 223"),
        (["annotate", ".", "--out", "o", "--domain", "toy", "--format", "gif"], "labelme"),
        (["annotate", ".", "--out", "o", "--domain", "toy", "--resume"], "Start it without"),
    ],
)
def test_mistakes_are_one_clear_line(
    toy: Path,
    tmp_path: Path,
    picture: np.ndarray,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture).save("x.png")
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.startswith("lrpseg: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "o").exists()


def test_help_and_list_name_every_choice(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    for name in ("toy", *NETWORKS, "ours", "montavon", "simple", "gmm", "bmm", "log-odds"):
        assert f" {name} " in listed
    with pytest.raises(SystemExit) as caught:
        main(["annotate", "--help"])
    assert caught.value.code == 0
    assert "--thresholder" in capsys.readouterr().out


def test_every_format_is_offered(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["annotate", "--help"])
    told = "".join(capsys.readouterr().out.split())  # argparse breaks lines at hyphens
    assert all(name in told for name in FORMATS)
    assert main(["list"]) == 0
    told = capsys.readouterr().out
    assert all(FORMATS[name].title in told for name in FORMATS)


def test_every_reader_is_offered(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(READERS._things, "mine", READERS["png"])
    with pytest.raises(SystemExit):
        main(["import", "--help"])
    assert f"{{{','.join(READERS)}}}" in "".join(capsys.readouterr().out.split())


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "lrpseg.cli", "list"]
    with os.fdopen(write, "w") as gone:
        found = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, text=True)
    assert found.returncode == 1
    assert found.stderr == ""


def test_the_core_imports_neither_the_page_nor_training() -> None:
    code = (
        "import sys, lrpseg, lrpseg.cli.main, lrpseg.benchmark.speed; "
        "print([m for m in sys.modules if m.split('.')[0] in ('gradio', 'training') "
        "or m.startswith('lrpseg.ui')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_pictures_show_what_they_should(toy_assets: Path) -> None:
    image = np.full((300, 300, 3), 120, np.uint8)
    image[100:110, 100:110] = 10
    result = grey_as_relevance(toy_assets)(image).using("simple")
    hot = heatmap(result)
    assert hot.shape == image.shape
    red, _, blue = hot[105, 105].astype(int)
    assert red > blue  # what speaks for damage is orange
    drawn = overlay(image, result.mask)
    assert np.array_equal(drawn[~result.mask], image[~result.mask])
    assert (drawn[result.mask] != image[result.mask]).any(axis=1).all()


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.png"
    save_png(Image.new("L", (2, 2), 7), path)

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    broken = Image.new("L", (2, 2), 9)
    monkeypatch.setattr(broken, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_png(broken, path)
    assert Image.open(path).getpixel((0, 0)) == 7
    assert list(tmp_path.iterdir()) == [path]
