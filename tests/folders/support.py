"""A job that writes many formats, and what a run leaves behind."""

from pathlib import Path

from lrpseg.folders import Job

ALL = "png,coco,yolo,labelme,label-studio,cvat-images,cvat-segmentation,datumaro,mvtec"


def tree(out: Path) -> dict[str, bytes]:
    """All that a user sees of a run, and its shards."""
    files = (p for p in out.rglob("*") if p.is_file() and p.name != "plan.sqlite")
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in files}


def job(**changes: object) -> Job:
    given = {"thresholder": "simple", "formats": tuple(ALL.split(",")), "overlays": True}
    return Job.make("toy", **{**given, **changes})  # type: ignore[arg-type]
