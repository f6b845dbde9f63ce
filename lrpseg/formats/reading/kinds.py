"""Why a mask is left out: a few words for each kind, to count by."""

from lrpseg.core.zips import HIDDEN

NO_PICTURE = "no picture of that name"
OTHER_SIZE = "another size than the picture"
TWO_MASKS = "a second mask of a picture"
BOXES = "boxes or lines only"
OTHER_LABEL = "other labels only"
PICTURE = "a picture, no mask"
UNSAID = "listed without an annotation"
OTHER_FILE = "a file without annotations"
DRAWN = "would replace what is drawn"

HARMLESS = frozenset({PICTURE, UNSAID, OTHER_FILE, HIDDEN})
"""Kinds that are no fault of whoever brings the masks."""
