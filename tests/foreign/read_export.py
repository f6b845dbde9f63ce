"""Reads exports with the readers of the tools that they are for; knows nothing of lrpseg.

    python read_export.py JOBS.json

Runs where those tools are installed (tests/foreign/requirements.txt, and loaders.txt beside it),
which cannot live beside lrpseg's own packages. JOBS.json is a list of {"tool", "folder", "out"}:
one process reads them all, since a tool takes longer to start than to read. Each `out` becomes an
.npz with `info`, a JSON list of pictures {"name", "shape", "labels"} (or {"error"}), and a bool
mask "I/J" for label J of picture I. A picture's name is its path, or its path without suffix where
the tool knows no more.
"""

import json
import sys
import traceback
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

Shape = tuple[int, int]


class Picture(NamedTuple):
    """The size of a picture, and the mask of each label that it has annotations of."""

    shape: Shape
    masks: dict[str, np.ndarray]


Pictures = dict[str, Picture]


def picture(shape: Shape, annotations: Iterable[tuple[str, np.ndarray]]) -> Picture:
    """Annotations of one label merged."""
    masks: dict[str, np.ndarray] = {}
    for label, mask in annotations:
        whole = masks.setdefault(label, np.zeros(shape, bool))
        whole |= np.asarray(mask) > 0
    return Picture(shape, masks)


def pycocotools(folder: Path) -> Pictures:
    from pycocotools.coco import COCO

    coco = COCO(str(folder / "annotations.json"))
    return {
        image["file_name"]: picture(
            (image["height"], image["width"]),
            (
                (coco.cats[a["category_id"]]["name"], coco.annToMask(a))
                for a in coco.loadAnns(coco.getAnnIds(image["id"], iscrowd=False))
            ),
        )
        for image in coco.loadImgs(coco.getImgIds())
    }


def supervision(folder: Path) -> Pictures:
    import supervision as sv
    from PIL import Image

    found: Pictures = {}
    for labels in [folder / "labels", *(p for p in (folder / "labels").rglob("*") if p.is_dir())]:
        relative = labels.relative_to(folder / "labels")
        images = folder / "images" / relative
        if not any(images.glob("*.png")):
            continue
        data = sv.DetectionDataset.from_yolo(
            str(images), str(labels), str(folder / "data.yaml"), force_masks=True
        )
        for path, _, detections in data:
            with Image.open(path) as image:
                shape = image.size[::-1]
            masks = [] if detections.mask is None else list(detections.mask)
            classes = [data.classes[i] for i in detections.class_id] if masks else []
            name = (relative / Path(path).stem).as_posix()
            found[name] = picture(shape, zip(classes, masks, strict=True))
    return found


def labelme(folder: Path) -> Pictures:
    from labelme._label_file import LabelFile
    from labelme.utils import shape_to_mask

    found: Pictures = {}
    for path in folder.rglob("*.json"):
        entry = LabelFile(str(path))
        raw = json.loads(path.read_text("utf-8"))
        shape = (raw["imageHeight"], raw["imageWidth"])
        drawn = []
        for part in entry.shapes:
            if part["shape_type"] == "mask":
                (x1, y1), (x2, y2) = np.asarray(part["points"]).astype(int)
                whole = np.zeros(shape, bool)
                whole[y1 : y2 + 1, x1 : x2 + 1] = part["mask"]
            else:
                whole = shape_to_mask(shape, part["points"], part["shape_type"])
            drawn.append((part["label"], whole))
        found[path.relative_to(folder).with_suffix("").as_posix()] = picture(shape, drawn)
    return found


def x_anylabeling(folder: Path) -> Pictures:
    """As X-AnyLabeling fills its polygons: cv2.fillPoly (anylabeling/views/labeling/utils)."""
    import cv2

    found: Pictures = {}
    for path in folder.rglob("*.json"):
        raw = json.loads(path.read_text("utf-8"))
        shape = (raw["imageHeight"], raw["imageWidth"])
        drawn = []
        for part in raw["shapes"]:
            mask = np.zeros(shape, np.uint8)
            cv2.fillPoly(mask, [np.array(part["points"], np.int32)], 1)
            drawn.append((part["label"], mask))
        found[path.relative_to(folder).with_suffix("").as_posix()] = picture(shape, drawn)
    return found


def label_studio_sdk(folder: Path) -> Pictures:
    from label_studio_sdk.converter.brush import decode_rle

    found: Pictures = {}
    for task in json.loads((folder / "predictions.json").read_text("utf-8")):
        (prediction,) = task["predictions"]
        assert 0 <= prediction["score"] <= 1
        drawn, shape = [], None
        for result in prediction["result"]:
            shape = (result["original_height"], result["original_width"])
            assert result["value"]["format"] == "rle"
            pixels = np.array(decode_rle(result["value"]["rle"]), np.uint8).reshape(*shape, 4)
            alpha = pixels[..., 3]
            assert set(np.unique(alpha)) <= {0, 255}  # 1 would be there and not be seen
            (label,) = result["value"]["brushlabels"]
            drawn.append((label, alpha))
        if shape is not None:
            found[task["data"]["name"]] = picture(shape, drawn)
    return found


def _datumaro(folder: Path, kind: str) -> Pictures:
    from datumaro.components.annotation import AnnotationType
    from datumaro.components.dataset import Dataset

    found: Pictures = {}
    data = Dataset.import_from(str(folder), kind)
    labels = data.categories()[AnnotationType.label]
    for item in data:
        drawn = [
            (labels[a.label].name, a.image)
            for a in item.annotations
            if a.type == AnnotationType.mask
        ]
        shape = drawn[0][1].shape if drawn else item.media.size if item.media else None
        if shape is not None:
            found[item.id] = picture(shape, drawn)
    return found


def datumaro(folder: Path) -> Pictures:
    return _datumaro(folder, "datumaro")


def datumaro_cvat(folder: Path) -> Pictures:
    return _datumaro(folder, "cvat")


def datumaro_voc(folder: Path) -> Pictures:
    with zipfile.ZipFile(folder / "annotations.zip") as archive:
        archive.extractall(folder / "unpacked")
    return _datumaro(folder / "unpacked", "voc_segmentation")


def cvat_sdk(folder: Path) -> Pictures:
    from xml.etree import ElementTree

    from cvat_sdk.masks import decode_mask

    found: Pictures = {}
    for image in ElementTree.parse(folder / "annotations.xml").getroot().iter("image"):
        height, width = int(image.get("height", 0)), int(image.get("width", 0))
        drawn = []
        for mask in image.iter("mask"):
            left, top, w, h = (int(mask.get(k, 0)) for k in ("left", "top", "width", "height"))
            runs = [int(r) for r in mask.get("rle", "").split(",")]
            points = [*runs, left, top, left + w - 1, top + h - 1]  # the form of CVAT's API
            label = mask.get("label", "")
            drawn.append((label, decode_mask(points, image_width=width, image_height=height)))
        found[image.get("name", "")] = picture((height, width), drawn)
    return found


def ultralytics(folder: Path) -> Pictures:
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset, polygon2mask

    data = check_det_dataset(str(folder / "data.yaml"))
    found: Pictures = {}
    for entry in YOLODataset(img_path=data["train"], data=data, task="segment").labels:
        height, width = entry["shape"]
        drawn = [
            (data["names"][int(index)], polygon2mask((height, width), [points * (width, height)]))
            for index, points in zip(entry["cls"][:, 0], entry["segments"], strict=True)
        ]
        name = Path(entry["im_file"]).relative_to(folder / "images").with_suffix("").as_posix()
        found[name] = picture((height, width), drawn)
    return found


def anomalib(folder: Path) -> Pictures:
    from anomalib.data.datasets.image.mvtecad import MVTecADDataset

    found: Pictures = {}
    (folder / "train" / "good").mkdir(parents=True)  # without it no folder is one of MVTec's
    for entry in MVTecADDataset(root=folder.parent, category=folder.name, split="test"):
        path = Path(entry.image_path)
        mask = entry.gt_mask.numpy().squeeze() > 0
        name = path.relative_to(folder / "test").with_suffix("").as_posix()
        found[name] = picture(mask.shape, [(path.parent.name, mask)] if mask.any() else [])
    return found


TOOLS: dict[str, Callable[[Path], Pictures]] = {
    "pycocotools": pycocotools,
    "supervision": supervision,
    "labelme": labelme,
    "x-anylabeling": x_anylabeling,
    "label-studio-sdk": label_studio_sdk,
    "datumaro": datumaro,
    "datumaro-cvat": datumaro_cvat,
    "datumaro-voc": datumaro_voc,
    "cvat-sdk": cvat_sdk,
    "ultralytics": ultralytics,
    "anomalib": anomalib,
}


def read(job: dict[str, str]) -> None:
    """Do one job; what fails is told in its `out`, and the others go on."""
    try:
        found = TOOLS[job["tool"]](Path(job["folder"]))
    except Exception:
        np.savez(job["out"], info=json.dumps({"error": traceback.format_exc()}))
        return
    info = [{"name": n, "shape": p.shape, "labels": list(p.masks)} for n, p in found.items()]
    packed = {
        f"{i}/{j}": mask
        for i, p in enumerate(found.values())
        for j, mask in enumerate(p.masks.values())
    }
    np.savez(job["out"], info=json.dumps(info), **packed)


if __name__ == "__main__":
    for entry in json.loads(Path(sys.argv[1]).read_text("utf-8")):
        read(entry)
