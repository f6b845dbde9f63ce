"""Where pictures are found, and the plan of a run."""

import json
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


def left(*given: object) -> tuple[list[str], dict[str, list[str]]]:
    """Names of what is taken, and of what is left out by kind."""
    told: dict[str, list[str]] = {}
    found = find_sources([str(g) for g in given], lambda k, n: told.setdefault(k, []).append(n))
    return [source.name for source in found], told


def test_all_that_can_be_read_is_taken_and_the_rest_is_told(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    taken = ["a.JPG", "b.pgm", "c.jp2", "d.avif", "e.mpo", "f.jfif", "g.psd"]
    for name in (*taken, "h.heic", "notes.txt", "more.txt", "README", ".hidden.png"):
        (photos / name).write_bytes(b"x")
    wanted = {".heic file": ["h.heic"], ".txt file": ["more.txt", "notes.txt"],
              "file without a suffix": ["README"], "hidden": [".hidden.png"]}  # fmt: skip
    assert left(photos) == (taken, wanted)
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in photos.iterdir():
            file.write(path, path.name)
    found, told = left(archive)
    assert (found, {k: sorted(n) for k, n in told.items()}) == (taken, wanted)


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    photos, outside = tmp_path / "photos", tmp_path / "outside"
    (photos / "real").mkdir(parents=True)
    (outside / "deep").mkdir(parents=True)
    for path in (photos / "real" / "a.png", outside / "deep" / "b.png", outside / "c.png"):
        path.write_bytes(b"x")
    for name, target in (("0-first", photos / "real"), ("more", outside), ("more again", outside),
                         ("real/up", photos), ("gone", tmp_path / "nowhere")):  # fmt: skip
        (photos / name).symlink_to(target)
    (outside / "deep" / "back").symlink_to(outside)
    (photos / "lost.png").symlink_to(tmp_path / "nothing.png")
    found, told = left(photos)
    assert found == ["real/a.png", "more/c.png", "more/deep/b.png"]
    assert told.pop("broken link") == ["lost.png"]
    assert sorted(told.pop("linked folder, read already")) == [
        "0-first", "more again", "more/deep/back", "real/up",
    ]  # fmt: skip
    assert [n for names in told.values() for n in names] in ([], ["gone"])


def test_brackets_in_the_name_of_a_folder_are_letters(tmp_path: Path) -> None:
    for name in ("photos [2]/belt/a.png", "photos [2]/belt/b1.png", "photos 2/c.png", "[x]/y.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert names(f"{tmp_path}/photos [2]/**/*.png") == ["belt/a.png", "belt/b1.png"]
    assert names(f"{tmp_path}/photos [2]/belt/?[0-9].png") == ["b1.png"]
    assert names(f"{tmp_path}/photos [0-9]/*.png") == ["photos 2/c.png"]  # no such folder
    assert names(f"{tmp_path}/[[]x]/*.png") == ["[x]/y.png"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
def test_lists_of_any_editor(encoding: str, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes("in/belt ä/tile1.png\r\nin/tile0.png\r\n".encode(encoding))
    if encoding in ("latin-1", "utf-16-le"):  # nothing says what it is
        with pytest.raises(ImageError):
            names(path)
    else:
        assert names(path) == ["tile1.png", "tile0.png"]


def test_names_in_zips_of_other_systems(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Gr__e/1/2/3/4/5/6/a.png", b"hello")
    path.write_bytes(path.read_bytes().replace(b"Gr__e", b"Gr\x94\xe1e"))
    (source,) = find_sources([path])
    assert source.name == "Größe/1/2/3/4/5/6/a.png"
    assert source.read() == b"hello"


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
    # What it left out is what it wrote itself; its plan, which grows meanwhile, is not told.
    report = json.loads((photos / "report.json").read_text("utf-8"))
    assert list(report["left_out"]) == ["of an earlier run"]


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
