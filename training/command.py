"""What the commands of `training` have in common."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lrpseg.core.errors import LrpsegError


@contextmanager
def told() -> Iterator[None]:
    """A user's mistakes go to stderr, in one line, and end the command with exit code 2."""
    try:
        yield
    except LrpsegError as error:
        print(f"training: {error}", file=sys.stderr)
        sys.exit(2)
