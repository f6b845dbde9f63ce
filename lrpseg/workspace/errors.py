"""Errors of workspaces; their texts are fit to be shown to a user."""

from lrpseg.core.errors import LrpsegError


class WorkspaceError(LrpsegError):
    """A workspace that cannot be used, or a request that it cannot fulfil."""


class UnavailableError(WorkspaceError):
    """A workspace that does not take a change at the moment, through no fault of the change: who
    has it keeps it, and tries again later."""


class DamagedMapError(WorkspaceError):
    """A stored map that cannot be read; the picture waits for its analysis again."""


class NoSuchItem(WorkspaceError):  # noqa: N818 - named for what is not there
    """A picture that is not in the workspace (or not in this visitor's)."""


class NoSuchWorkspace(WorkspaceError):  # noqa: N818
    """A token that opens no workspace."""
