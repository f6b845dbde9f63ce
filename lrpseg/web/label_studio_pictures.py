"""Where a Label Studio's tasks have their pictures: fetched from it, or read below a folder.

It may be served below a path, as https://HOST/label-studio: then its token is for what lies there,
and for nothing else on that host.
"""

import base64
import http.client
import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from lrpseg.core.errors import ImageError

MAX_BYTES = 500_000_000
_LOCAL = "/data/local-files"


@dataclass(frozen=True)
class Pictures:
    """Where tasks' pictures may come from. url, key: of Label Studio, with the path that it is
    served below; root: folder of its local files (LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT)."""

    url: str | None = None
    key: str | None = None
    root: Path | None = None

    def read(self, address: str) -> bytes:
        """The bytes at a task's address; raises `ImageError` with what to do."""
        if address.startswith("data:"):
            try:
                return base64.b64decode(address.partition(",")[2], validate=True)
            except ValueError as error:
                raise ImageError("The task's data: address is damaged.") from error
        try:
            parts = urlsplit(address)
        except ValueError as error:
            raise ImageError(f"{address[:200]} is no address: {error}.") from error
        here = not (parts.scheme or parts.netloc) or self._is_home(parts)
        if here and parts.path.rstrip("/").endswith(_LOCAL) and self.root is not None:
            return self._local(parse_qs(parts.query).get("d", [""])[0])
        if parts.scheme in ("http", "https", "") and self.url is not None:
            return self._fetch(parts)
        raise ImageError(
            f"{address[:200]} cannot be reached. Start the backend with --url and --api-key of "
            "Label Studio, or with --root for its local files."
        )

    def _local(self, relative: str) -> bytes:
        assert self.root is not None
        root = self.root.resolve()
        try:
            path = (root / relative).resolve()
            if path.is_relative_to(root) and path.is_file():
                return path.read_bytes()
        except (OSError, ValueError) as error:  # no right to read it, or a name that none can have
            raise ImageError(f"{relative[:200]!r} cannot be read: {error}.") from error
        raise ImageError(f"There is no file {relative[:200]!r} below {root}.")

    def _is_home(self, parts: SplitResult) -> bool:
        home = urlsplit(self.url or "")
        return (parts.scheme or home.scheme, parts.netloc) == (home.scheme, home.netloc)

    def _path(self, parts: SplitResult) -> str:
        """The path of an address on Label Studio's own host, below where it is served; raises
        `ImageError`."""
        home = urlsplit(self.url or "")
        below = home.path.rstrip("/")
        # Without its slash a path would go on with the host's name or port: the token went astray.
        path = "/" + parts.path.lstrip("/")
        if ".." in unquote(path).replace("\\", "/").split("/"):
            raise ImageError(f"{path[:200]} leads upwards, which is not followed.")
        if below and not path.startswith(f"{below}/"):
            if parts.netloc:
                raise ImageError(
                    f"{path[:200]} is not below {below}, where Label Studio is: it is not asked."
                )
            path = below + path
        return path + (f"?{parts.query}" if parts.query else "")

    def _fetch(self, there: SplitResult) -> bytes:
        home = urlsplit(self.url or "")
        if (there.scheme or there.netloc) and not self._is_home(there):
            raise ImageError(
                f"{there.netloc} is not the Label Studio at {home.netloc}: other hosts are not "
                "asked. Upload the picture to Label Studio, or use its local files."
            )
        path, host = self._path(there), f"{home.scheme}://{home.netloc}"
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            request = urllib.request.Request(host + path)
            if self.key:
                base = host + home.path.rstrip("/")
                request.add_header("Authorization", _authorization(self.key, base, opener))
            with opener.open(request, timeout=60) as answer:
                data: bytes = answer.read(MAX_BYTES + 1)
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            raise ImageError(f"Label Studio did not give {path[:200]}: {error}.") from error
        if len(data) > MAX_BYTES:
            raise ImageError(f"{path[:200]} is larger than {MAX_BYTES / 1e6:.0f} MB.")
        return data


def _authorization(key: str, base: str, opener: urllib.request.OpenerDirector) -> str:
    """The header for an access token of Label Studio, of either kind.

    A legacy token is sent as it is. A personal access token, the only kind that newer versions
    give out by default, is exchanged for one that lives a few minutes.
    """
    if key.count(".") != 2:  # no JSON web token
        return f"Token {key}"
    request = urllib.request.Request(
        f"{base}/api/token/refresh/",
        data=json.dumps({"refresh": key}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with opener.open(request, timeout=60) as answer:
        return f"Bearer {json.load(answer)['access']}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect could lead to a host that nobody chose."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None
