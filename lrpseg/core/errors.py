"""Errors that a person can act on: each message says what is wrong and what to do."""


class LrpsegError(Exception):
    """Base of every error that lrpseg raises on purpose; its text is fit to be shown to a user."""


class ImageError(LrpsegError, ValueError):
    """A file or array that cannot be used as an image."""


class CheckpointError(LrpsegError):
    """A checkpoint that is missing, damaged, or of another network."""


class OptionError(LrpsegError, ValueError):
    """An option with a name or value that does not exist."""


class RelevanceError(LrpsegError, ValueError):
    """A relevance map that cannot be turned into a mask (wrong shape, NaN, infinite)."""


class DiskFullError(LrpsegError):
    """A disk, or one's share of it, is full: worth trying again when something was deleted."""
