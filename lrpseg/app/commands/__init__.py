"""What can be done with a workspace, each action in one place: its rules, and nothing of who asks.

The page, the editor's routes, the endpoints for programs and the command line are adapters of a few
lines over these. An action takes the `Service` where it needs the networks or limits, and the
workspace; it raises `LrpsegError` with what to do.
"""

from lrpseg.app.commands.choosing import (
    apply_settings,
    apply_to_all,
    change_settings,
    explain_anyway,
    restore_choice,
    settings_of,
)
from lrpseg.app.commands.comparing import Side, compare
from lrpseg.app.commands.files import (
    export_masks,
    export_zip_file,
    import_files,
    mask_file,
    open_session,
    session_file,
)
from lrpseg.app.commands.importing import ImportReport, import_source
from lrpseg.app.commands.masking import (
    ChangedError,
    check_shown,
    correct,
    figures,
    replace_mask,
    set_cleaning,
    set_level,
    set_status,
    set_threshold,
    set_truth,
    spend,
)
from lrpseg.app.commands.pictures import Added, add, add_files, add_sample, open_workspace, remove

__all__ = [
    "Added",
    "ChangedError",
    "ImportReport",
    "Side",
    "add",
    "add_files",
    "add_sample",
    "apply_settings",
    "apply_to_all",
    "change_settings",
    "check_shown",
    "compare",
    "correct",
    "explain_anyway",
    "export_masks",
    "export_zip_file",
    "figures",
    "import_files",
    "import_source",
    "mask_file",
    "open_session",
    "open_workspace",
    "remove",
    "replace_mask",
    "restore_choice",
    "session_file",
    "set_cleaning",
    "set_level",
    "set_status",
    "set_threshold",
    "set_truth",
    "settings_of",
    "spend",
]
