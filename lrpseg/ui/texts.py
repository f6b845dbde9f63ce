"""Sentences of the page, for someone who never heard of LRP."""

from collections.abc import Mapping
from typing import Any

HELP = {
    "formats": "For other annotation tools. Masks, overlays and provenance are always in the zip.",
}
"""What a control is for; shown while it is pointed at. Of settings: `lrpseg.pipeline.settings`."""

TITLES = {
    "upload": "Pictures of any common kind, or a zip of them. They stay on this computer, or in "
    "your own private workspace on a hosted page.",
    "folder": "All pictures of a folder, and of the folders in it.",
    "samples": "Drawn pictures to try the page with.",
    "apply-all": "Use these settings for every picture that is not accepted yet. What you drew "
    "is kept.",
    "compare": "Explain the picture with both settings, and show heatmaps and masks of both.",
    "mask-file": "The mask as it is now: a PNG of 0 and 255 of the picture's size.",
    "export": "Masks, overlays and a provenance file for each picture, and the formats above.",
    "truth": "A true mask of the picture shown: its precision, recall and IoU appear at once.",
    "bring-masks": "PNG masks named like their pictures, COCO or labelme JSON, or a zip of them: "
    "they become the masks here. Pictures that you drew on or accepted keep theirs.",
    "bring-replace": "For the masks that you bring next: they also take the place of what is drawn "
    "or accepted.",
    "save-session": "Everything in this workspace as one file, to go on elsewhere or later.",
    "open-session": "Add the pictures of a session that was taken home.",
}
"""The same for buttons, by the id of their element."""

COMPARE = """The picture that is shown on the first tab, left with its own settings, right with \
others, each at the thresholder's own threshold. Nothing of it is stored."""

HELP_PAGE = """
### What this does
A classifier that only ever learned *damaged* or *intact* decides about your picture. Layer-wise \
relevance propagation (LRP) traces its decision back to the pixels: that is the **heatmap**. A \
**thresholder** turns the heatmap into a **likelihood** of damage for each pixel, and the \
**threshold** decides from which likelihood on a pixel is in the **mask**.

### How to work with it
1. Drop pictures, a zip or a folder anywhere, or click a sample. The first one can be edited \
while the others are still running.
2. Move the threshold, or say which precision or recall you want at least.
3. Correct what is wrong: brush **B**, eraser **E**, polygons **P** and **C**, fill a hole **F**, \
delete a spot **X**. What you draw stays, whatever you do to the threshold afterwards.
4. Accept with **Enter**, go on with **D**. Press **?** on the picture for all keys.
5. Export: masks, overlays and a provenance file for each picture, and formats for other tools.

### What is kept
Every stroke is saved as it is made. A reload, a lost connection or a restart of the server loses \
nothing. On a hosted page your workspace is private and is deleted a day after you last used it: \
take the session home before.

### What to trust
Precision and recall are measured on validation pictures of the shipped domains, with intervals. \
On other surfaces the networks have never seen anything like your picture; the page says so where \
it notices. A mask is a proposal: look at it.
"""


def choices(registry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(title, name) of each entry, for a drop-down."""
    return [(entry.title, name) for name, entry in registry.items()]
