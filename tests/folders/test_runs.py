"""Annotating folders: what is found, what is written, and what a kill changes: nothing."""

import errno
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lrpseg
from lrpseg.cli.main import main
from lrpseg.core.errors import ImageError, OptionError
from lrpseg.folders import Job, annotate, block, make_plan
from lrpseg.folders.run import STATE, with_segmenter
from lrpseg.folders.sources import Source, find_sources
from tests.folders.support import ALL, job, tree


def test_every_format_holds_the_masks_of_the_segmenter(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["annotate", str(folder), "--out", str(out), "--domain", "toy", "--format", ALL]
    assert main([*words, "--thresholder", "simple", "--overlays"]) == 1  # one cannot be read
    segmenter = lrpseg.load("toy", thresholder="simple")
    coco = json.loads((out / "coco" / "annotations.json").read_text())
    areas = {a["image_id"]: a["area"] for a in coco["annotations"]}
    for image in coco["images"]:
        alone = segmenter(folder / image["file_name"])
        stem = image["file_name"].removesuffix(".png")
        with Image.open(out / "png" / f"{stem}.png") as mask:
            assert np.array_equal(np.asarray(mask) > 0, alone.mask)
        assert areas.get(image["id"], 0) == alone.mask.sum()
        assert (out / "overlays" / f"{stem}.png").is_file()
    lines = [json.loads(line) for line in (out / "pictures.jsonl").read_text().splitlines()]
    assert [line["status"] for line in lines] == ["failed"] + ["damaged"] * 8
    assert "not an image" in lines[0]["reason"]
    report = json.loads((out / "report.json").read_text())
    assert (report["pictures"], report["damaged"], report["failures"]) == (9, 8, 1)
    assert set(report["formats"]) == set(ALL.split(","))
    page = (out / "index.html").read_text()
    assert "9 pictures: 8 damaged" in page
    assert "broken.jpg" in page
    assert all((out / "summary" / f"{line['position']:09}.jpg").is_file() for line in lines[1:])
    told = capsys.readouterr()
    assert "8 images annotated, 8 of them damaged" in told.out
    assert "failed: broken.jpg" in told.err


class Killed(BaseException):
    pass


@pytest.mark.parametrize("after", [0, 2])
def test_a_resumed_run_equals_one_that_was_never_interrupted(
    folder: Path, tmp_path: Path, after: int
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    annotate([str(folder)], whole, job(), block=3)

    def dies(plan, open_: Sequence[int], *rest) -> Iterator[int]:  # type: ignore[no-untyped-def]
        for done, number in enumerate(with_segmenter(job().segmenter("cpu"))(plan, open_, *rest)):
            if done == after:
                raise Killed  # its shard is there, nobody was told
            yield number

    with pytest.raises(Killed):
        annotate([str(folder)], parts, job(), engine=dies, block=3)
    assert not (parts / "report.json").exists()
    done: list[int] = []
    report = annotate([str(folder)], parts, job(), resume=True, progress=done.append)
    assert done[0] == 3 * (after + 1)
    assert done[1:] == [1] * (9 - done[0])
    assert tree(parts) == tree(whole)
    assert report.pictures == 9
    again = annotate([str(folder)], parts, job(), resume=True)  # nothing is left to do
    assert tree(parts) == tree(whole)
    assert again == report


def test_a_real_kill(folder: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    annotate([str(folder)], whole, job(), block=1)
    script = (
        "import sys; from lrpseg.folders import *; from tests.folders.support import job\n"
        "from tests.narrow import use_narrow; use_narrow()\n"
        "from pathlib import Path\n"
        "annotate([sys.argv[1]], Path(sys.argv[2]), job(), block=1)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(folder), str(parts)])
    blocks = parts / STATE / "blocks"
    while process.poll() is None and len(list(blocks.rglob("*.json"))) < 3:
        time.sleep(0.01)
    process.kill()
    process.wait()
    for half in (".abc.part", "png/belt ä/.abc.part", f"{STATE}/blocks/000000/.abc.part"):
        (parts / half).parent.mkdir(parents=True, exist_ok=True)
        (parts / half).write_bytes(b"a write that the kill cut off")
    annotate([str(folder)], parts, job(), resume=True)
    assert tree(parts) == tree(whole)


def test_resuming_needs_the_same_settings(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no run to resume"):
        annotate([str(folder)], tmp_path / "out", job(), resume=True)
    annotate([str(folder)], tmp_path / "out", job())
    with pytest.raises(OptionError, match="another thresholder"):
        annotate([str(folder)], tmp_path / "out", job(thresholder="bmm"), resume=True)
    fresh = annotate([str(folder / "tile0.png")], tmp_path / "out", job())
    assert fresh.pictures == 1  # without --resume it starts anew


def test_a_source_that_is_wrong_leaves_the_earlier_run(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    annotate([str(folder)], out, job())
    before = tree(out)
    with pytest.raises(ImageError):
        annotate([str(folder), "gone.png"], out, job())
    assert {n: d for n, d in tree(out).items() if not n.startswith(".lrpseg-plan")} == before


def test_names_that_cannot_be_written_are_failures_of_their_own(
    folder: Path, tmp_path: Path
) -> None:
    tile, long = folder / "tile0.png", "/".join(["d" * 150] * 2)
    for name in ("a.png", "a.json/b.png", "光" * 60 + ".png", f"{long}/c.png"):
        (tmp_path / "names" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "names" / name).write_bytes(tile.read_bytes())
    run = job(formats=("labelme", "mvtec"))
    report = annotate([str(tmp_path / "names")], tmp_path / "out", run, block=1)
    assert report.damaged == 2
    reasons = dict(report.failed)
    assert list(reasons) == ["a.json/b.png", f"{long}/c.png"]
    assert all("Rename the picture." in reason for reason in reasons.values())


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "then try again. Go on with --resume."),
        (errno.EACCES, "it does not work. Choose another --out."),
    ],
)
def test_what_cannot_be_written_at_all_ends_the_run(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
    says: str,
) -> None:
    def fails(*_: object) -> None:
        raise OSError(number, "it does not work", "x")

    monkeypatch.setattr(block, "save_files", fails)
    words = ["annotate", str(folder / "tile0.png"), "--domain", "toy", "--thresholder", "simple"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.endswith(f"{says}\n")


def test_thresholds_and_probabilities(folder: Path, tmp_path: Path) -> None:
    source = [str(folder / "tile0.png")]
    alone = lrpseg.load("toy", thresholder="simple")(source[0])
    for changes, wanted in (
        ({"threshold": 0.2}, alone.at(0.2)),
        ({"min_probability": 1.0}, np.zeros_like(alone.mask)),
        ({"min_probability": 0.0}, alone.mask),
    ):
        annotate(source, tmp_path / "out", job(**changes, formats=("png",)))
        with Image.open(tmp_path / "out" / "png" / "tile0.png") as mask:
            assert np.array_equal(np.asarray(mask) > 0, wanted)
    annotate(source, tmp_path / "none", job(min_probability=1.0, only_damaged=True))
    coco = json.loads((tmp_path / "none" / "coco" / "annotations.json").read_text())
    assert coco["images"] == []
    assert "tile0.png" in (tmp_path / "none" / "pictures.jsonl").read_text()
    for wrong in ({"threshold": 1.5}, {"min_probability": -1}, {"formats": ("gif",)}):
        with pytest.raises(OptionError):
            job(**wrong)
    with pytest.raises(OptionError, match="one of"):
        job(threshold=0.5, precision=0.5)


def test_a_domain_in_a_folder_is_found_from_any_other(
    narrow_assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(narrow_assets / "toy", tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    made = Job.make("mine")
    assert made.settings.domain == str(tmp_path / "mine")
    assert Job.make("toy").settings.domain == "toy"
    monkeypatch.chdir(tmp_path / "mine")
    assert made.segmenter("cpu").domain.name == "mine"
    assert lrpseg.load(".").domain.name == "mine"
    assert Job.make(".") == made


def test_a_precision_is_turned_into_its_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LRPSEG_ASSETS")
    points = lrpseg.load_operating_points("magnetic-tile")
    made = Job.make("magnetic-tile", recall=0.8)
    assert made.threshold == points.at_recall(0.8).threshold
    assert Job.make("magnetic-tile", precision=0.5).threshold == points.at_precision(0.5).threshold
    assert Job.of_json(json.loads(json.dumps(made.as_json()))) == made
    with pytest.raises(OptionError, match="highest"):
        Job.make("magnetic-tile", precision=0.9999)


def test_few_pictures_are_decoded_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(12):
        Image.new("L", (100, 100), number).save(tmp_path / f"{number:02}.png")
    plan = make_plan(find_sources([str(tmp_path)]), tmp_path / "plan.sqlite")
    started: list[int] = []
    inner = block.read_picture
    monkeypatch.setattr(block, "read_picture", lambda *d: (started.append(1), inner(*d))[1])
    files: list[str] = []
    load = Source.read
    monkeypatch.setattr(Source, "read", lambda s: (files.append(s.name), load(s))[1])
    for limit, ahead in ((10**9, 2 * block.THREADS), (25_000, 3), (1, 1)):
        monkeypatch.setattr(block, "AHEAD_PIXELS", limit)
        started.clear()
        files.clear()
        with block.ThreadPoolExecutor(1) as pool:
            taken = block._read_ahead(plan.block(0), pool, None)
            for number, read in enumerate(taken, 1):
                assert read.picture.pixels.shape == (100, 100, 3)
                assert len(started) <= number + ahead
        assert len(started) == 12
        assert len(files) == 12  # one that waits for room is not read again


def test_a_run_says_what_it_left_out_and_what_was_not_plain(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Image.open(folder / "tile0.png") as image:
        values = np.asarray(image.convert("L")).astype(np.uint16) * 16
    for path in folder.rglob("*.png"):
        path.unlink()
    Image.fromarray(values).save(folder / "camera.png")
    for name in ("notes.txt", "more.txt", "x.heic"):
        (folder / name).write_text("x")
    out = tmp_path / "out"
    given = ["annotate", str(folder), "--out", str(out), "--domain", "toy", "--device", "cpu"]
    assert main(given) == 1
    told = capsys.readouterr().out.splitlines()
    wanted = "1 picture read, 4 left out: 2 (.txt file), 1 (.heic file), 1 (cannot be read)"
    assert wanted in told
    assert "  in a way that is not plain: 1 (read as 12 bits); report.json names them" in told
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert report["left_out"][".txt file"] == {"files": 2, "names": ["more.txt", "notes.txt"]}
    ((kind, entry),) = report["read"].items()
    assert kind == "read as 12 bits"
    assert entry["names"] == [f"camera.png (by its values, of which the highest is {values.max()})"]
    lines = [json.loads(x) for x in (out / "pictures.jsonl").read_text("utf-8").splitlines()]
    assert [len(line.get("read", ())) for line in lines] == [0, 1]
    page = (out / "index.html").read_text("utf-8")
    assert "2 (.txt file): more.txt, notes.txt" in page
    assert "1 (read as 12 bits): camera.png" in page
    assert main([*given, "--resume"]) == 1
    assert wanted in capsys.readouterr().out  # a run that goes on knows it still
    assert main([*given, "--bits", "12"]) == 1
    assert "(as was said)" in (out / "pictures.jsonl").read_text("utf-8")
    assert main([*given, "--bits", "7"]) == 2


def test_names_that_anomalib_would_mispair_get_an_end(folder: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in (1, 10):
        shutil.copy(folder / "tile0.png", photos / f"{number}.png")
    wanted = job(formats=("mvtec",), options={"copy_pictures": True}, min_probability=0.0,
                 overlays=False)  # fmt: skip
    annotate([str(photos)], tmp_path / "out", wanted)
    copies = {p.name for p in (tmp_path / "out" / "mvtec" / "test").rglob("*.png")}
    assert copies == {"1~.png", "10~.png"}
    report = annotate([], tmp_path / "out", wanted, resume=True)  # by the same job
    assert report.formats["mvtec"].notes == []


def test_a_plan_knows_whether_names_sort_alike(tmp_path: Path) -> None:
    for given, apart in ((["1", "10", "2"], True), (["01", "10", "02"], False),
                         (["b/1", "b__10"], True)):  # fmt: skip
        plan = make_plan((Source(f"{n}.png", n) for n in given), tmp_path / "plan.sqlite")
        assert plan.sorts_apart(".png", "_mask.png") == apart
