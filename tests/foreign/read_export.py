"""Reads an export with the reader of the tool that it is for; knows nothing of lrpseg.

    python read_export.py TOOL EXPORT_FOLDER OUT.npz

Runs where those tools are installed (tests/foreign/requirements.txt), which cannot live beside
lrpseg's own packages. OUT.npz holds a bool mask for each picture, under its name (or its stem).
"""

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

Masks = dict[str, np.ndarray]


def merged(masks: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    whole = np.zeros(shape, bool)
    for mask in masks:
        whole |= np.asarray(mask) > 0
    return whole


def pycocotools(folder: Path) -> Masks:
    from pycocotools.coco import COCO

    coco = COCO(str(folder / "annotations.json"))
    return {
        image["file_name"]: merged(
            [coco.annToMask(a) for a in coco.loadAnns(coco.getAnnIds(image["id"], iscrowd=False))],
            (image["height"], image["width"]),
        )
        for image in coco.loadImgs(coco.getImgIds())
    }


def supervision(folder: Path) -> Masks:
    import supervision as sv
    from PIL import Image

    found: Masks = {}
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
            found[(relative / Path(path).stem).as_posix()] = merged(masks, shape)
    return found


def labelme(folder: Path) -> Masks:
    from labelme._label_file import LabelFile
    from labelme.utils import shape_to_mask

    found: Masks = {}
    for path in folder.rglob("*.json"):
        entry = LabelFile(str(path))
        raw = json.loads(path.read_text("utf-8"))
        shape = (raw["imageHeight"], raw["imageWidth"])
        masks = []
        for part in entry.shapes:
            if part["shape_type"] == "mask":
                (x1, y1), (x2, y2) = np.asarray(part["points"]).astype(int)
                whole = np.zeros(shape, bool)
                whole[y1 : y2 + 1, x1 : x2 + 1] = part["mask"]
                masks.append(whole)
            else:
                masks.append(shape_to_mask(shape, part["points"], part["shape_type"]))
        found[path.relative_to(folder).with_suffix("").as_posix()] = merged(masks, shape)
    return found


def x_anylabeling(folder: Path) -> Masks:
    """As X-AnyLabeling fills its polygons: cv2.fillPoly (anylabeling/views/labeling/utils)."""
    import cv2

    found: Masks = {}
    for path in folder.rglob("*.json"):
        raw = json.loads(path.read_text("utf-8"))
        mask = np.zeros((raw["imageHeight"], raw["imageWidth"]), np.uint8)
        for part in raw["shapes"]:
            cv2.fillPoly(mask, [np.array(part["points"], np.int32)], 1)
        found[path.relative_to(folder).with_suffix("").as_posix()] = mask > 0
    return found


def label_studio_sdk(folder: Path) -> Masks:
    from label_studio_sdk.converter.brush import decode_rle

    found: Masks = {}
    for task in json.loads((folder / "predictions.json").read_text("utf-8")):
        (prediction,) = task["predictions"]
        assert 0 <= prediction["score"] <= 1
        masks, shape = [], None
        for result in prediction["result"]:
            shape = (result["original_height"], result["original_width"])
            assert result["value"]["format"] == "rle"
            pixels = np.array(decode_rle(result["value"]["rle"]), np.uint8).reshape(*shape, 4)
            alpha = pixels[..., 3]
            assert set(np.unique(alpha)) <= {0, 255}  # 1 would be there and not be seen
            masks.append(alpha)
        if shape is not None:
            found[task["data"]["name"]] = merged(masks, shape)
    return found


def _datumaro(folder: Path, kind: str) -> Masks:
    from datumaro.components.annotation import AnnotationType
    from datumaro.components.dataset import Dataset

    found: Masks = {}
    for item in Dataset.import_from(str(folder), kind):
        masks = [a.image for a in item.annotations if a.type == AnnotationType.mask]
        shape = masks[0].shape if masks else item.media.size if item.media else None
        if shape is not None:
            found[item.id] = merged(masks, shape)
    return found


def datumaro(folder: Path) -> Masks:
    return _datumaro(folder, "datumaro")


def datumaro_cvat(folder: Path) -> Masks:
    return _datumaro(folder, "cvat")


def datumaro_voc(folder: Path) -> Masks:
    with zipfile.ZipFile(folder / "annotations.zip") as archive:
        archive.extractall(folder / "unpacked")
    return _datumaro(folder / "unpacked", "voc_segmentation")


def cvat_sdk(folder: Path) -> Masks:
    from xml.etree import ElementTree

    from cvat_sdk.masks import decode_mask

    found: Masks = {}
    for image in ElementTree.parse(folder / "annotations.xml").getroot().iter("image"):
        height, width = int(image.get("height", 0)), int(image.get("width", 0))
        masks = []
        for mask in image.iter("mask"):
            left, top, w, h = (int(mask.get(k, 0)) for k in ("left", "top", "width", "height"))
            runs = [int(r) for r in mask.get("rle", "").split(",")]
            points = [*runs, left, top, left + w - 1, top + h - 1]  # the form of CVAT's API
            masks.append(decode_mask(points, image_width=width, image_height=height))
        found[image.get("name", "")] = merged(masks, (height, width))
    return found


TOOLS: dict[str, Callable[[Path], Masks]] = {
    "pycocotools": pycocotools,
    "supervision": supervision,
    "labelme": labelme,
    "x-anylabeling": x_anylabeling,
    "label-studio-sdk": label_studio_sdk,
    "datumaro": datumaro,
    "datumaro-cvat": datumaro_cvat,
    "datumaro-voc": datumaro_voc,
    "cvat-sdk": cvat_sdk,
}

if __name__ == "__main__":
    read = TOOLS[sys.argv[1]](Path(sys.argv[2]))
    names = list(read)
    entry = {"names": names, "shapes": [read[n].shape for n in names]}
    packed = {f"m{i}": read[n] for i, n in enumerate(names)}
    np.savez(sys.argv[3], info=json.dumps(entry), **packed)
