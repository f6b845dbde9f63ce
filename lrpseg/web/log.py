"""What goes to the log of an unexpected error: where it happened, and never what a visitor sent.

An exception's own text often quotes what it stumbled over: a token, a picture in base64, or line
breaks that would make lines of their own.
"""

import logging
import traceback


def trace(error: BaseException) -> str:
    """The places of an error in the code, innermost last, and its type; for an `OSError` also what
    the system said, as "No space left on device"."""
    lines = [
        f"  {f.filename}:{f.lineno} in {f.name}" for f in traceback.extract_tb(error.__traceback__)
    ]
    said = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    return "\n".join([*lines, f"{type(error).__name__}{said}"])


def unexpected(log: logging.Logger, what: str, error: BaseException) -> None:
    """Log an error that is our fault; `what` was being done is ours to say, too."""
    log.error("%s failed:\n%s", what, trace(error))


def one_line(words: object, most: int = 300) -> str:
    """Words from outside as part of a log line: no line breaks, no control characters, no halves of
    characters, and not more than `most` characters.

    >>> one_line("a\\n2026 ERROR")
    'a\\\\n2026 ERROR'
    """
    told = str(words)[:most]
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in told)
