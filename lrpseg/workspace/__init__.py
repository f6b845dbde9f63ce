"""Workspaces: what the page keeps on disk, so that nothing that was drawn is ever lost."""

from lrpseg.core.cache import Cache
from lrpseg.workspace.annotations import Imported, import_masks
from lrpseg.workspace.bundle import export_zip, provenance
from lrpseg.workspace.errors import (
    NoSuchItem,
    NoSuchWorkspace,
    UnavailableError,
    WorkspaceError,
)
from lrpseg.workspace.intake import Limits, Upload, read_uploads, safe_name
from lrpseg.workspace.item import STATUSES, Item, ItemLayer, read_settings
from lrpseg.workspace.quota import Quota
from lrpseg.workspace.session_file import load_session, save_session
from lrpseg.workspace.sessions import Sessions
from lrpseg.workspace.snapshots import Snapshot
from lrpseg.workspace.store import Workspace

__all__ = [
    "STATUSES",
    "Cache",
    "Imported",
    "Item",
    "ItemLayer",
    "Limits",
    "NoSuchItem",
    "NoSuchWorkspace",
    "Quota",
    "Sessions",
    "Snapshot",
    "UnavailableError",
    "Upload",
    "Workspace",
    "WorkspaceError",
    "export_zip",
    "import_masks",
    "load_session",
    "provenance",
    "read_settings",
    "read_uploads",
    "safe_name",
    "save_session",
]
