"""Bodies of requests: read within a size and a time, unpacked within a size; JSON as plain data.

Nothing here trusts a header: sizes are counted while bytes come, and what is packed is unpacked no
further than it may be.
"""

import json
import math
import zlib
from typing import Any

import anyio
from starlette.datastructures import Headers
from starlette.requests import Request

from lrpseg.core.errors import LrpsegError, OptionError

MAX_JSON = 100_000
"""Bytes of a JSON object that the editor sends; it needs a few hundred."""

TOO_LARGE = "The request is too large."

PART_SECONDS, BODY_SECONDS = 20.0, 300.0
"""How long the next part of a body, and a whole body, may take to come."""


class BodyError(LrpsegError):
    """A body that is not taken; `status` is that of the answer."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


def too_large() -> BodyError:
    return BodyError(TOO_LARGE, 413)


def told_length(headers: Headers) -> int:
    """How long a body is said to be; 0 where nothing is said that can be read."""
    told = headers.get("content-length", "")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 20 else 0


def is_packed(request: Request) -> bool:
    """Whether the body is gzip; raises `BodyError` for what else it may be packed with."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return False
    if encoding in ("gzip", "x-gzip"):
        return True
    raise BodyError("Send the request as it is, or packed with gzip.", 415)


def packed_limit(limit: int) -> int:
    """What `limit` bytes have at most when gzip packs them (RFC 1951, 3.2.4: stored blocks)."""
    return limit + limit // 1000 + 1024


async def read(request: Request, limit: int) -> bytes:
    """The body as it comes; of at most `limit` bytes.

    Raises `BodyError` where it is larger, or where the next part or the whole is not there in time.
    """
    if told_length(request.headers) > limit:
        raise too_large()  # before a byte is read
    parts: list[bytes] = []
    size, stream = 0, aiter(request.stream())
    try:
        with anyio.fail_after(BODY_SECONDS):
            while True:
                with anyio.fail_after(PART_SECONDS):
                    part = await anext(stream, None)
                if part is None:
                    return b"".join(parts)
                size += len(part)
                if size > limit:
                    raise too_large()
                parts.append(part)
    except TimeoutError:
        raise BodyError("The request came too slowly. Try again.", 408) from None


def unpacked(body: bytes, limit: int) -> bytes:
    """What one gzip member holds: at most `limit` bytes, and no more are made of it.

    Raises `BodyError` where it is damaged or holds more.
    """
    unpack = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        data = unpack.decompress(body, limit + 1)
    except zlib.error as error:
        raise BodyError(f"The request is damaged: {error}.", 400) from error
    if len(data) > limit:
        raise too_large()
    if not unpack.eof or unpack.unused_data:
        raise BodyError("The request is damaged: it is no whole gzip member.", 400)
    return data


def parse_json(body: bytes) -> Any:
    """JSON as it is written down in RFC 8259: finite numbers, and texts that UTF-8 can hold.

    Raises `ValueError`, also for brackets in brackets without end.
    """
    try:
        value = json.loads(body, parse_constant=_no_number, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate is no text
    except RecursionError:
        raise ValueError("brackets in brackets in brackets") from None
    return value


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object; an empty body is an empty one. Raises `OptionError` for anything else."""
    try:
        value = parse_json(body or b"{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise OptionError("A JSON object was expected.")
    return value


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number")
    return value
