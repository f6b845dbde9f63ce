"""The command line and the files that it writes."""

import json
import subprocess
import sys
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from lrpseg.annotate import find_images, output_names
from lrpseg.cli import main
from lrpseg.errors import ImageError
from lrpseg.networks import NETWORKS
from lrpseg.render import heatmap, overlay, save_png
from lrpseg.version import __version__
from tests.test_segmenter import grey_as_relevance


@pytest.fixture
def toy(toy_assets: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LRPSEG_ASSETS", str(toy_assets))
    return toy_assets


def test_annotate_writes_mask_overlay_and_json(
    toy: Path, tmp_path: Path, picture: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in" / "Größe 1.png"
    source.parent.mkdir()
    Image.fromarray(picture).save(source)
    out = tmp_path / "out"
    options = ["--domain", "toy", "--thresholder", "simple", "--threshold", "0.4"]
    assert main(["annotate", str(source), "--out", str(out), *options]) == 0
    with Image.open(out / "masks" / "Größe 1.png") as mask:
        assert mask.mode == "L"
        assert mask.size == (300, 250)
        values = np.asarray(mask)
    assert set(np.unique(values)) == {0, 255}
    with Image.open(out / "overlays" / "Größe 1.png") as drawn:
        assert drawn.size == (300, 250)
    entry = json.loads((out / "results" / "Größe 1.json").read_text("utf-8"))
    assert entry["mask_pixels"] == np.count_nonzero(values)
    assert entry["threshold"] == 0.4
    assert entry["lrpseg"] == __version__
    assert entry["settings"]["thresholder"] == "simple"
    assert 0.5 < entry["probability"] <= 1
    assert (entry["width"], entry["height"]) == (300, 250)
    assert "1 images annotated, 1 of them damaged" in capsys.readouterr().out
    leftovers = [p for p in out.rglob("*") if p.is_file()]
    assert len(leftovers) == 3


def test_a_broken_file_stops_nothing_and_shows_in_the_exit_code(
    toy: Path, tmp_path: Path, picture: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "c"):
        Image.fromarray(picture).save(folder / f"{name}.png")
    (folder / "b.png").write_bytes(b"not an image")
    out = tmp_path / "out"
    assert main(["annotate", str(folder), "--out", str(out), "--domain", "toy"]) == 1
    assert sorted(p.name for p in (out / "masks").iterdir()) == ["a.png", "c.png"]
    assert "b.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["annotate", "nothing.png", "--out", "o"], "no such file"),
        (["annotate", ".", "--out", "o", "--domain", "moon"], "toy"),
        (["annotate", ".", "--out", "o", "--domain", "toy", "--threshold", "2"], "0 to 1"),
        (["annotate", ".", "--out", "o", "--domain", "toy", "--network", "128n"], "one-fc"),
        (["annotate", ".", "--out", "o", "--domain", "toy", "--overlap", "300"], "0 to 223"),
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


def test_the_core_imports_neither_the_page_nor_training() -> None:
    code = (
        "import sys, lrpseg, lrpseg.cli, lrpseg.benchmark; "
        "print([m for m in sys.modules if m.split('.')[0] in ('gradio', 'training') "
        "or m.startswith('lrpseg.ui')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["x/a.png", "x/b.jpg"], ["a", "b"]),
        (["x/a.png", "y/b.jpg"], ["a", "b"]),
        (["x/a.png", "y/a.png"], ["x/a", "y/a"]),
        (["x/a.png", "x/a.jpg", "x/b.jpg"], ["a.png", "a.jpg", "b"]),
        (["x/a.png", "x/A.png"], ["a.png", "A.png-2"]),
        (["x/a.b.png"], ["a.b"]),
    ],
)
def test_no_two_files_share_their_outputs(paths: list[str], names: list[str]) -> None:
    assert output_names([Path(p) for p in paths]) == [PurePosixPath(n) for n in names]


def test_images_of_folders_are_found_and_named_files_kept(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("b.PNG", "deep/a.jpg", "deep/er/c.tiff", "notes.txt", "odd.xyz"):
        (tmp_path / name).write_bytes(b"")
    found = find_images([tmp_path, tmp_path / "odd.xyz", tmp_path / "b.PNG"])
    relative = [p.relative_to(tmp_path).as_posix() for p in found]
    assert relative == ["b.PNG", "deep/a.jpg", "deep/er/c.tiff", "odd.xyz"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="No images"):
        find_images([tmp_path / "empty"])


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
