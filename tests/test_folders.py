"""Annotating folders: what is found, what is written, and what a kill changes: nothing."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lrpseg
from lrpseg.cli import main
from lrpseg.errors import ImageError, OptionError
from lrpseg.folders import Job, annotate, block, make_plan
from lrpseg.folders.run import STATE, here
from lrpseg.folders.sources import Source, find_sources
from lrpseg.formats import FORMATS
from lrpseg.workspace import Workspace
from tests.workspace_support import analysed

ALL = "png,coco,yolo,labelme,label-studio,cvat-images,cvat-segmentation,datumaro,mvtec"


@pytest.fixture(autouse=True)
def _toy(toy_assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRPSEG_ASSETS", str(toy_assets))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nine pictures in nested folders, one of them unreadable."""
    root = tmp_path / "in"
    for number in range(8):
        image = np.random.default_rng(number).integers(90, 200, (230, 240, 3), dtype=np.uint8)
        image[60:80, 20 * number : 20 * number + 30] = 20
        path = root / ("belt ä" if number % 2 else ".") / f"tile{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    (root / "broken.jpg").write_bytes(b"no image")
    return root


def tree(out: Path) -> dict[str, bytes]:
    """All that a user sees of a run, and its shards."""
    files = (p for p in out.rglob("*") if p.is_file() and p.name != "plan.sqlite")
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in files}


def job(**changes: object) -> Job:
    given = {"thresholder": "simple", "formats": tuple(ALL.split(",")), "overlays": True}
    return Job.make("toy", **{**given, **changes})  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------- sources


def names(*given: object) -> list[str]:
    return [source.name for source in find_sources([str(g) for g in given])]


def test_folders_files_patterns_zips_and_lists(folder: Path, tmp_path: Path) -> None:
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x.png").write_bytes(b"x")
    (folder / "notes.md").write_text("no image")
    inside = names(folder)
    assert inside == ["broken.jpg", *(f"tile{n}.png" for n in (0, 2, 4, 6)),
                      *(f"belt ä/tile{n}.png" for n in (1, 3, 5, 7))]  # fmt: skip
    assert names(folder / "tile0.png") == ["tile0.png"]
    assert names(folder / "notes.md") == ["notes.md"]  # named itself: tried
    assert names(f"{folder}/**/tile[01].png") == ["belt ä/tile1.png", "tile0.png"]
    archive = tmp_path / "many.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("b/x.png", "a.jpg", "../../up.png", "__MACOSX/a.jpg", "c.txt"):
            file.writestr(name, name)
    assert names(archive) == ["up.png", "a.jpg", "b/x.png"]
    assert next(iter(find_sources([archive]))).read() == b"../../up.png"
    listed = tmp_path / "list.txt"
    listed.write_text("# mine\nin/tile0.png\n\nmany.zip\n", "utf-8")
    assert names(listed) == ["tile0.png", "up.png", "a.jpg", "b/x.png"]
    assert names(folder, archive)[0] == "in/broken.jpg"  # several: each under its own name
    assert names(folder, archive)[-1] == "many/b/x.png"


def test_sources_that_are_none(tmp_path: Path) -> None:
    for wrong in ("nothing.png", "no*thing.png"):
        with pytest.raises(ImageError, match=r"no file|no such file"):
            names(tmp_path / wrong)
    (tmp_path / "a.zip").write_bytes(b"PK no zip")
    with pytest.raises(ImageError, match="damaged zip"):
        names(tmp_path / "a.zip")
    (tmp_path / "loop.txt").write_text("loop.txt")
    with pytest.raises(ImageError, match="lists itself"):
        names(tmp_path / "loop.txt")
    with pytest.raises(ImageError, match="No images"):
        make_plan(iter(()), tmp_path / "plan.sqlite")
    with pytest.raises(ImageError, match="cannot be read"):
        Source("a", str(tmp_path / "gone.png")).read()


def test_a_plan_gives_each_picture_a_name_and_a_stem_of_its_own(tmp_path: Path) -> None:
    given = ["a.png", "a.jpg", "A.PNG", "b/a.png", "a.png", "c.tif"]
    plan = make_plan((Source(n, n) for n in given), tmp_path / "plan.sqlite", block=4)
    found = list(plan)
    assert (len(plan), plan.blocks, [len(plan.block(i)) for i in range(2)]) == (6, 2, [4, 2])
    assert [p.source.name for p in found] == [*given[:4], "a-2.png", "c.tif"]
    assert [p.stem for p in found] == ["a", "a.jpg", "A.PNG", "b/a", "a-2", "c"]
    assert len({p.stem.lower() for p in found}) == 6


# ------------------------------------------------------------------------------------------- runs


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


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_resumed_run_equals_one_that_was_never_interrupted(
    folder: Path, tmp_path: Path, after: int
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    annotate([str(folder)], whole, job(), block=3)

    def dies(plan, open_: Sequence[int], *rest) -> Iterator[int]:  # type: ignore[no-untyped-def]
        for done, number in enumerate(here("cpu")(plan, open_, *rest)):
            if done == after:
                raise Killed  # its shard is there, nobody was told
            yield number

    with pytest.raises(Killed):
        annotate([str(folder)], parts, job(), engine=dies, block=3)
    assert not (parts / "report.json").exists()
    done: list[int] = []
    report = annotate([str(folder)], parts, job(), resume=True, progress=done.append)
    assert done[0] == 3 * (after + 1)
    assert sum(done) == 9
    assert tree(parts) == tree(whole)
    assert report.pictures == 9
    again = annotate([str(folder)], parts, job(), resume=True)  # nothing is left to do
    assert tree(parts) == tree(whole)
    assert again == report


def test_a_real_kill(folder: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    annotate([str(folder)], whole, job(), block=1)
    script = (
        "import sys; from lrpseg.folders import *; from tests.test_folders import job\n"
        "from pathlib import Path\n"
        "annotate([sys.argv[1]], Path(sys.argv[2]), job(), block=1)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(folder), str(parts)])
    blocks = parts / STATE / "blocks"
    while process.poll() is None and len(list(blocks.rglob("*.json"))) < 3:
        time.sleep(0.01)
    process.kill()
    process.wait()
    annotate([str(folder)], parts, job(), resume=True)
    assert {n for n in tree(parts) if not n.endswith(".part")} == set(tree(whole))
    assert {n: d for n, d in tree(parts).items() if not n.endswith(".part")} == tree(whole)


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
    inner = block.read_image
    monkeypatch.setattr(block, "read_image", lambda d: (started.append(1), inner(d))[1])
    for limit, ahead in ((10**9, 2 * block.THREADS), (25_000, 3), (1, 1)):
        monkeypatch.setattr(block, "AHEAD_PIXELS", limit)
        started.clear()
        with block.ThreadPoolExecutor(1) as pool:
            taken = block._read_ahead(plan.block(0), pool, None)
            for number, read in enumerate(taken, 1):
                assert read.image.shape == (100, 100, 3)
                assert len(started) <= number + ahead
        assert len(started) == 12


# ----------------------------------------------------------------------------- workspaces, by hand


def test_export_and_import_of_a_workspace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace(tmp_path / "ws")
    item = analysed(workspace, "belt/a.png")
    out = ["--out", str(tmp_path / "out"), "--format", "png,coco,labelme"]
    here = ["--workspace", str(tmp_path / "ws")]
    assert main(["export", *here, *out]) == 0
    assert "coco: 1 images, 1 annotations" in capsys.readouterr().out
    with Image.open(tmp_path / "out" / "png" / "belt" / "a.png") as mask:
        assert np.array_equal(np.asarray(mask) > 0, workspace.mask(item.id))
    wanted = np.zeros((40, 50), bool)
    wanted[3:9, 4:30] = True
    (tmp_path / "made").mkdir()
    Image.fromarray(wanted).save(tmp_path / "made" / "a.png")
    assert main(["import", str(tmp_path / "made"), *here]) == 0
    assert np.array_equal(workspace.mask(item.id), wanted)
    assert main(["import", str(tmp_path / "out" / "coco"), *here, "--as", "truth"]) == 0
    truth = workspace.truth(item.id)
    assert truth is not None
    Image.fromarray(wanted[:-1]).save(tmp_path / "made" / "a.png")
    assert main(["import", str(tmp_path / "made"), *here]) == 1
    assert "the picture's size" in capsys.readouterr().err
    assert main(["export", *here, *out, "--accepted"]) == 2
    assert main(["export", "--workspace", str(tmp_path / "none"), *out]) == 2


# -------------------------------------------------------------------------------------------- Ray


def _workers() -> list[int]:
    """Process numbers of Ray's workers that hold a segmenter."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"MapWorker" in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds workers in /proc")
def test_ray_with_a_killed_worker_writes_the_same(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray", reason="pip install 'lrpseg[ray]'")
    from lrpseg.folders.ray_engine import on_ray

    annotate([str(folder)], tmp_path / "one", job(), device="cpu", block=2)
    killed: list[int] = []

    def progress(_: int) -> None:
        if not killed and _workers():
            killed.append(_workers()[0])
            os.kill(killed[0], signal.SIGKILL)

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        engine = on_ray(2, "cpu")
        annotate([str(folder)], tmp_path / "many", job(), engine=engine, progress=progress, block=2)
    finally:
        ray.shutdown()
    assert killed
    assert tree(tmp_path / "many") == tree(tmp_path / "one")


def test_every_format_is_offered(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["annotate", "--help"])
    told = "".join(capsys.readouterr().out.split())  # argparse breaks lines at hyphens
    assert all(name in told for name in FORMATS)
    assert main(["list"]) == 0
    told = capsys.readouterr().out
    assert all(FORMATS[name].title in told for name in FORMATS)
