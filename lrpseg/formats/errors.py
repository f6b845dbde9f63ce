"""Errors of reading and writing the formats of other tools."""

import importlib
from typing import Any

from lrpseg.core.errors import LrpsegError


class FormatError(LrpsegError, ValueError):
    """A picture, name or label that a format cannot hold, or a file that does not follow it.

    kind: a few words that many such errors share, to count them by.
    """

    def __init__(self, message: str, kind: str = "cannot be read") -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.kind)


class MissingExtraError(LrpsegError, ImportError):
    """A library that is not installed; the message names the extra that brings it."""


def needs(module: str, extra: str, purpose: str) -> Any:
    """Import an optional library when it is needed.

    Raises:
        MissingExtraError: it is not installed; `purpose` says what it is needed for.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs {module.split('.')[0]}, which is not installed. "
            f"In lrpseg's folder, run: python -m pip install -e '.[{extra}]'"
        ) from error
