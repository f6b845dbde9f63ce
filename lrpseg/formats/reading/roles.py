"""What names of folders say of the images in them: pictures, masks, or something to look at."""

import re
from pathlib import PurePosixPath

_PICTURES = frozenset(
    [
        "image",
        "images",
        "img",
        "imgs",
        "picture",
        "pictures",
        "photo",
        "photos",
        "jpegimages",
        "original",
        "originals",
        "rgb",
        "input",
        "inputs",
    ]
)
_MASKS = frozenset(
    [
        "mask",
        "masks",
        "label",
        "labels",
        "gt",
        "groundtruth",
        "annotation",
        "annotations",
        "segmentation",
        "segmentations",
        "segmentationclass",
        "segmentationobject",
        "truth",
    ]
)
_SHOWN = frozenset({"overlay", "overlays", "heatmap", "heatmaps", "summary", "thumbnails"})


def role(folder: str) -> str:
    """ "masks", "pictures", "shown" (overlays and the like), or "" where a folder's name says
    nothing.

    >>> role("train_masks"), role("images"), role("Ground Truth"), role("image masks"), role("belt")
    ('masks', 'pictures', 'masks', 'masks', '')
    """
    words = set(re.split(r"[^a-z]+", folder.lower()))
    if words & _MASKS:
        return "masks"
    if words & _PICTURES:
        return "pictures"
    return "shown" if words & _SHOWN else ""


def without_roles(name: str) -> str:
    """A path without its folders of pictures and of masks, by which the two find each other.

    >>> without_roles("train/images/a.png"), without_roles("train/masks/a"), without_roles("a.png")
    ('train/a.png', 'train/a', 'a.png')
    """
    *folders, file = PurePosixPath(name).parts or ("",)
    return "/".join([*(f for f in folders if role(f) in ("", "shown")), file])
