"""Under which names the page answers, and whose requests: a page of another site asks for nothing.

A browser sends along which name it asked for (Host) and which site's script asks (Origin,
Sec-Fetch-Site). Without a look at Host, any site could give its own name this computer's address
and read what the page tells (DNS rebinding); without one at Origin, it could ask in a visitor's
name. An IP address cannot be given away like a name.
"""

import ipaddress
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from lrpseg.core.errors import OptionError

_LOCAL = ("localhost", "127.0.0.1", "::1")
_ANY = ("0.0.0.0", "::", "")
_PORTS = {"http": 80, "https": 443}
_SAFE = ("GET", "HEAD", "OPTIONS")

WRONG_NAME = (
    "The page does not answer under this name. Whoever runs it lists the address that browsers "
    "use: lrpseg app --site https://NAME"
)
WRONG_SITE = "The request came from a page of another site."


@dataclass(frozen=True)
class Sites:
    """hosts: names that Host may be, lower case, without ports; None: any. numbers: whether it may
    be any IP address, too. origins: (scheme, name, port) of further addresses of the page, as it is
    seen behind a proxy that changes Host."""

    hosts: frozenset[str] | None = None
    numbers: bool = False
    origins: frozenset[tuple[str, str, int]] = frozenset()

    def refusal(self, method: str, headers: Mapping[str, str]) -> str | None:
        """Why a request is not answered; None where it is. Names of headers are lower case."""
        host = headers.get("host", "")
        if not self._is_ours(host):
            return WRONG_NAME
        return WRONG_SITE if self._is_foreign(method, host, headers) else None

    def _is_ours(self, host: str) -> bool:
        if self.hosts is None:
            return True
        name = _split(f"//{host}")[1]
        return name in self.hosts or _is_loopback(name) or (self.numbers and _is_number(name))

    def _is_foreign(self, method: str, host: str, headers: Mapping[str, str]) -> bool:
        """As browsers of today tell by Sec-Fetch-Site, which no script can set; others, and all of
        them over plain HTTP, tell by Origin alone. Programs send neither."""
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if origin is None:
            return method not in _SAFE and site in ("cross-site", "same-site")
        scheme, name, port = _split(origin)
        if (scheme, name, port) in self.origins:
            return False
        if site is not None:
            return site not in ("same-origin", "none")
        _, asked, at = _split(f"{scheme}://{host}")
        return not name or (name, port) != (asked, at)


def make_sites(
    bound: str, given: Iterable[str] = (), hosted: bool = False, root_path: str = ""
) -> Sites:
    """Under which names a page answers that listens on `bound`.

    Args:
        bound: an address of this computer, or 0.0.0.0 or :: for all of them.
        given: further addresses as browsers know them: https://NAME[:PORT], or NAME alone.
        hosted: for anybody: any name, unless some are given.
        root_path: of the page; where it is an address, that is one of those given.

    Raises `OptionError` where one of those given is no address.
    """
    given = [*given, *([root_path] if "://" in root_path else [])]
    hosts, origins = {*_LOCAL, bound.strip("[]").lower()}, set()
    for address in given:
        scheme, name, port = _split(address if "://" in address else f"//{address}")
        if not name or scheme not in ("", *_PORTS) or port == 0:
            raise OptionError(f"--site takes https://NAME, NAME or NAME:PORT; not {address!r}.")
        hosts.add(name)
        if scheme:
            origins.add((scheme, name, port))
    everywhere = bound.strip("[]") in _ANY
    if everywhere:
        own = socket.gethostname().lower()
        hosts |= {own, own.partition(".")[0], f"{own.partition('.')[0]}.local"}
    hosts -= set(_ANY)
    named = None if hosted and not given else frozenset(hosts)
    return Sites(named, everywhere, frozenset(origins))


def _split(address: str) -> tuple[str, str, int]:
    """(scheme, name, port) of an address, the port also where it is left out; 0 and "" for what is
    not there or cannot be read, as in "null"."""
    try:
        parts = urlsplit(address.strip())
        scheme, name = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
        return scheme, name, parts.port or _PORTS.get(scheme, -1)
    except ValueError:
        return "", "", 0


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return _is_number(name) and ipaddress.ip_address(name).is_loopback
