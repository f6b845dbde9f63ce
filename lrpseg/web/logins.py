"""Logins: wrong ones are slowed down, and other logins make another token of the workspace."""

import hashlib
import hmac
import ipaddress
import json
import math
import secrets
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import Path

from starlette.exceptions import HTTPException

from lrpseg.core.files import atomically

FREE, FREE_OF_ADDRESS = 5, 50
"""So many wrong logins in a row cost nothing: of a name from one address, and of an address."""

LONGEST = 60.0
"""Seconds that a wrong login makes the next one wait, at most."""

FORGOTTEN = 900.0
"""Seconds after which wrong logins count no more."""

_MOST = 10_000

MESSAGE = "After several wrong logins the next one has to wait, up to a minute."

caller: ContextVar[str] = ContextVar("caller", default="")
"""The address that the request at hand came from; `Guard` sets it."""


class Slowed:
    """How long each key has to wait after wrong tries: `free` of them cost nothing, each further
    one doubles the time. Remembers those of late, `most` at most. For one thread."""

    def __init__(self, free: int, most: int = _MOST) -> None:
        self._free, self._most = free, most
        self._tries: dict[str, tuple[int, float]] = {}  # wrong ones, and when the next may come

    def __len__(self) -> int:
        return len(self._tries)

    def wait(self, key: str, now: float) -> float:
        """Seconds until the next try is taken; 0: at once."""
        return max(0.0, self._tries.get(key, (0, now))[1] - now)

    def wrong(self, key: str, now: float) -> None:
        """A try was wrong."""
        count, until = self._tries.pop(key, (0, now))
        count = 1 if now - until > FORGOTTEN else count + 1
        pause = min(LONGEST, 2.0 ** min(count - self._free, 20)) if count >= self._free else 0.0
        self._tries[key] = (count, now + pause)
        if len(self._tries) > self._most:
            del self._tries[next(iter(self._tries))]

    def right(self, key: str) -> None:
        """A try was right: those before it count no more."""
        self._tries.pop(key, None)


class Logins:
    """Names and passwords. Nobody waits inside of `check`: who is too early is sent away, so that
    neither a thread nor the event loop is held."""

    def __init__(
        self, pairs: Sequence[tuple[str, str]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._passwords = {name: _digest(password) for name, password in pairs}
        self._clock = clock
        self._of_name, self._of_address = Slowed(FREE), Slowed(FREE_OF_ADDRESS)

    async def check(self, name: str, password: str) -> bool:
        """Whether somebody may come in; runs in the event loop, without a pause inside, so that
        many at once get no more tries than one after another.

        Raises `HTTPException` where wrong ones came before: 400, which Gradio's page shows.
        """
        now, address = self._clock(), _network(caller.get())
        pair = f"{address} {_digest(name).hex()}"
        wait = max(self._of_name.wait(pair, now), self._of_address.wait(address, now))
        if wait > 0:
            seconds = math.ceil(wait)
            raise HTTPException(
                400,
                f"Too many wrong logins. Try again in {seconds} s.",
                headers={"Retry-After": str(seconds)},
            )
        wanted = self._passwords.get(name)
        given = _digest(password)
        right = hmac.compare_digest(given, wanted or bytes(len(given))) and wanted is not None
        if right:
            self._of_name.right(pair)
        else:
            self._of_name.wrong(pair, now)
            self._of_address.wrong(address, now)
        return right


def renew_token(folder: Path, pairs: Sequence[tuple[str, str]]) -> bool:
    """Let the workspace in `folder` have another token when its page has other logins than the last
    time: who was taken out knows the old one. Returns whether it was thrown away.

    Of the logins the folder keeps one slow hash (scrypt), in the file `logins`.
    """
    token, kept = folder / "token", folder / "logins"
    if _same(kept, pairs):
        return False
    gone = token.is_file()
    token.unlink(missing_ok=True)  # first: if this is stopped here, it is done again
    if not pairs:
        kept.unlink(missing_ok=True)
        return gone
    salt = secrets.token_bytes(16)
    held = {"salt": salt.hex(), "scrypt": _slow(pairs, salt).hex()}
    atomically(kept, lambda file: file.write(json.dumps(held).encode()))
    kept.chmod(0o600)
    return gone


def _same(kept: Path, pairs: Sequence[tuple[str, str]]) -> bool:
    try:
        held = json.loads(kept.read_text("utf-8"))
        salt, digest = bytes.fromhex(held["salt"]), bytes.fromhex(held["scrypt"])
    except FileNotFoundError:
        return not pairs
    except (OSError, ValueError, KeyError, TypeError):  # damaged: another token harms nobody
        return False
    return bool(pairs) and hmac.compare_digest(_slow(pairs, salt), digest)


def _slow(pairs: Sequence[tuple[str, str]], salt: bytes) -> bytes:
    return hashlib.scrypt(json.dumps(sorted(pairs)).encode(), salt=salt, n=2**14, r=8, p=1)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="replace")).digest()


def _network(address: str) -> str:
    """An address, or of IPv6 the network of 64 bits that one subscriber has for himself."""
    try:
        if ipaddress.ip_address(address).version == 6:
            return str(ipaddress.ip_network(f"{address.partition('%')[0]}/64", strict=False))
    except ValueError:
        pass
    return address[:100]
