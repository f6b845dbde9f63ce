"""Where pictures are found, and the plan of a run."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from lrpseg.core.errors import ImageError
from lrpseg.folders import Job, annotate, make_plan
from lrpseg.folders.opening import open_annotated
from lrpseg.folders.sources import Source, find_sources
from lrpseg.formats import unique_stems


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


def test_what_a_run_wrote_below_the_pictures_is_no_picture(folder: Path, tmp_path: Path) -> None:
    before = names(folder)
    masks = folder / "masks"
    job = Job.make("toy", thresholder="simple")
    annotate([str(folder)], masks, job)
    assert list((masks / "png").rglob("*.png"))
    assert names(folder) == before
    assert "tile0.png" in names(masks / "png")  # named itself


def test_what_a_run_wrote_beside_the_pictures_is_no_picture(folder: Path, tmp_path: Path) -> None:
    photos, data = tmp_path / "photos", (folder / "tile0.png").read_bytes()
    (photos / "belt" / "png").mkdir(parents=True)  # not at the place where a run writes
    (photos / "belt" / "png" / "x.png").write_bytes(data)
    (photos / "a.png").write_bytes(data)
    job = Job.make("toy", thresholder="simple", formats=("png", "mvtec"), overlays=True,
                   options={"copy_pictures": True})  # fmt: skip
    for _ in range(2):
        assert annotate([str(photos)], photos, job).pictures == 2
        open_annotated(photos)
    assert (photos / "png" / "a.png").is_file()
    assert names(photos) == ["a.png", "belt/png/x.png"]


def test_a_damaged_entry_of_a_zip_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.png", b"good")
        archive.writestr("bad.png", bytes(range(256)) * 40)
    data = bytearray(path.read_bytes())
    start = data.index(b"bad.png") + len("bad.png")
    data[start : start + 8] = b"\xff" * 8
    path.write_bytes(bytes(data))
    bad, good = find_sources([path])
    assert (bad.name, good.read()) == ("bad.png", b"good")
    with pytest.raises(ImageError, match=r"a.zip: bad.png is damaged"):
        bad.read()


def test_a_zip_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    for content in (b"one", b"three"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.png", content)
        assert next(iter(find_sources([path]))).read() == content


def test_a_plan_holds_from_any_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    plan = make_plan(find_sources(["tile0.png"]), tmp_path / "plan.sqlite")
    monkeypatch.chdir(tmp_path)
    (only,) = plan
    assert only.source.read() == (folder / "tile0.png").read_bytes()


@pytest.mark.parametrize("name", ["run #1", "a?b", "50%41", "a?mode=rwc", "ä b"])
def test_a_plan_may_lie_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    plan = make_plan([Source("a.png", "a.png")], tmp_path / name / "plan.sqlite")
    assert [planned.stem for planned in plan] == ["a"]
    assert [path.name for path in tmp_path.rglob("*")] == [name, "plan.sqlite"]


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
    assert [p.stem for p in found] == ["a.png", "a.jpg", "A.PNG-2", "b/a", "a-2", "c"]
    assert len({p.stem.lower() for p in found}) == 6


def test_stems_of_a_plan_are_those_of_an_export(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    parts = ("a", "A", "b/a", "ä", "a\u0308"), ("", ".png", ".PNG", ".jpg", ".png-2", ".png.jpg")
    for number in range(30):
        given = ["".join(random.choice(part) for part in parts) for _ in range(12)]
        plan = make_plan((Source(n, n) for n in given), tmp_path / f"{number}.sqlite")
        assert [p.stem for p in plan] == unique_stems([p.source.name for p in plan])
