"""Serves a folder's scripts under an address that names their content: browsers keep them for ever.

No token is asked for: the scripts are the same for everybody, and are in the package anyway.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

PREFIX = "/lrpseg/static"
_KEPT = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}
_MISSING = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def read_scripts(folder: Path) -> dict[str, bytes]:
    """All `.js` files below `folder`, by their path in it with forward slashes, in its order."""
    paths = sorted(folder.rglob("*.js"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def fingerprint(scripts: Mapping[str, bytes]) -> str:
    """16 hexadecimal digits that are others as soon as a name or a byte is."""
    found = hashlib.sha256()
    for name, content in sorted(scripts.items()):
        found.update(f"{name}\0{len(content)}\0".encode() + content)
    return found.hexdigest()[:16]


def script_route(scripts: Mapping[str, bytes]) -> Route:
    """The route of `scripts` (by name): /lrpseg/static/<fingerprint>/<name>.

    Any other address below it is answered with 404: no file is opened for a request.
    """
    current = fingerprint(scripts)

    async def endpoint(request: Request) -> Response:
        content = scripts.get(request.path_params["name"])
        if content is None or request.path_params["fingerprint"] != current:
            return PlainTextResponse("There is no such script.", 404, headers=_MISSING)
        return Response(content, media_type="text/javascript", headers=_KEPT)

    return Route(PREFIX + "/{fingerprint}/{name:path}", endpoint, methods=["GET"])
