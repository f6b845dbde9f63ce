"""Errors of workspaces; their texts are fit to be shown to a user."""

from lrpseg.core.errors import LrpsegError


class WorkspaceError(LrpsegError):
    """A workspace that cannot be used, or a request that it cannot fulfil."""


class NoSuchItem(WorkspaceError):  # noqa: N818 - named for what is not there
    """A picture that is not in the workspace (or not in this visitor's)."""


class NoSuchWorkspace(WorkspaceError):  # noqa: N818
    """A token that opens no workspace."""
