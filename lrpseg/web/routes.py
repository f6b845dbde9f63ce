"""The routes that the editor in the browser talks to; each request names its workspace by token.

The token stands in a header of our own: a page of another origin cannot send it (CORS), and who has
no token learns nothing, not even whether a picture exists.
"""

import gzip
import io
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lrpseg.app.service import Service
from lrpseg.core.errors import LrpsegError, OptionError
from lrpseg.masks.render import COLORMAPS
from lrpseg.web import describe
from lrpseg.workspace import Item, NoSuchItem, NoSuchWorkspace, Workspace, read_settings

PREFIX = "/lrpseg"
TOKEN = "x-lrpseg-workspace"
_PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
_MAX_BODY = 400_000_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Call:
    """One request, with its workspace and, where the path names one, its picture."""

    service: Service
    workspace: Workspace
    id: str
    query: dict[str, str]
    body: bytes

    @property
    def item(self) -> Item:
        return self.workspace.item(self.id)

    def json(self) -> dict[str, Any]:
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise OptionError("A JSON object was expected.")
        return value


def items(call: Call) -> Response:
    """All pictures of the workspace; `since` the serial of a former answer only if it rose."""
    serial = call.workspace.serial()  # first: what changes during the listing is told once more
    if call.query.get("since") == str(serial):
        return _json({"serial": serial})
    listed = [describe.summary(item) for item in call.workspace.items()]
    return _json({"items": listed, "serial": serial})


def item(call: Call) -> Response:
    """One picture with its levels, operating points and verdict."""
    found = call.item
    if not found.analysis:  # waiting, running or failed: there is no map yet
        return _json(describe.summary(found))
    levels = call.service.levels.of(call.workspace, found)
    return _json(describe.details(call.workspace, found, levels))


def view(call: Call) -> Response:
    return _picture(describe.view(call.workspace.image(call.id)))


def thumbnail(call: Call) -> Response:
    return _picture(call.workspace.thumbnail(call.id))


def heatmap(call: Call) -> Response:
    colormap = call.query.get("colormap", next(iter(COLORMAPS)))
    COLORMAPS[colormap]
    image, relevance = call.workspace.image(call.id), call.workspace.relevance(call.id)
    return _picture(describe.heatmap_view(image, relevance, colormap))


def levels(call: Call) -> Response:
    return _packed(call.service.levels.of(call.workspace, call.item).packed)


def corrections(call: Call) -> Response:
    return _packed(describe.pack(call.workspace.corrections(call.id)))


def truth(call: Call) -> Response:
    found = call.workspace.truth(call.id)
    if found is None:
        return _error("There is no ground truth for this picture.", 404)
    return _packed(describe.pack(found.astype("uint8")))


def save_corrections(call: Call) -> Response:
    """A rectangle of corrections, (h, w) uint8 of 0, 1 and 2, row by row."""
    x, y, w, h = (_whole(call.query, name) for name in "xywh")
    seconds = _number(call.query.get("seconds", "0"))
    revision = call.workspace.patch_corrections(call.id, x, y, w, h, call.body)
    if seconds:
        call.workspace.add_seconds(call.id, seconds)
    return _json({"revision": revision, "writes": 1, "status": call.item.status})


def save_settings(call: Call) -> Response:
    """Threshold, cleaning, status and seconds spent; a mask that nobody saw is not accepted.

    The answer's `writes` says by how much this request itself raised the revision.
    """
    given, found = call.json(), call.item
    writes = ("level" in given) + ("min_area" in given or "max_hole" in given) + ("status" in given)
    if given.get("status") == "accepted" and not _seen(given.get("shown"), found):
        return _error(
            f"{found.name} was changed elsewhere meanwhile. Look at it again before you accept it.",
            409,
        )
    if "level" in given:
        if given.get("analysis") != describe.analysis_name(found):
            return _error("The heatmap has changed meanwhile.", 409)
        values = call.service.levels.of(call.workspace, found).values
        level = given["level"]
        if not isinstance(level, int) or not 0 <= level < len(values):
            raise OptionError("There is no such threshold level.")
        call.workspace.set_threshold(call.id, float(values[level]))
    if "min_area" in given or "max_hole" in given:
        call.workspace.set_cleaning(
            call.id,
            _count(given.get("min_area", found.min_area)),
            _count(given.get("max_hole", found.max_hole)),
        )
    if "status" in given:
        call.workspace.set_status(call.id, str(given["status"]))
    if "seconds" in given:
        call.workspace.add_seconds(call.id, _number(given["seconds"]))
    found = call.item
    return _json({"revision": found.revision, "writes": writes, "status": found.status})


def _seen(shown: Any, found: Item) -> bool:
    """Whether a page shows `found` as it is now; one that says nothing is believed."""
    now = {"analysis": describe.analysis_name(found), "revision": found.revision}
    said = shown if isinstance(shown, dict) else {}
    return all(said.get(name, value) == value for name, value in now.items())


def save_choice(call: Call) -> Response:
    """A choice as `item` told it once: undo and redo bring it back."""
    given, found = call.json(), call.item
    explain = bool(given.get("explain_intact"))
    call.workspace.set_settings(found.id, read_settings(given), explain)
    call.service.analyser.wake(call.workspace)
    return _json(describe.summary(call.item))


def anyway(call: Call) -> Response:
    """Explain a picture that was classified intact."""
    call.workspace.set_settings(call.id, explain_intact=True)
    call.service.analyser.wake(call.workspace)
    return _json(describe.summary(call.item))


def delete(call: Call) -> Response:
    call.workspace.delete(call.id)
    return _json({})


ROUTES: dict[tuple[str, str], Callable[[Call], Response]] = {
    ("GET", "/items"): items,
    ("GET", "/items/{id}"): item,
    ("DELETE", "/items/{id}"): delete,
    ("GET", "/items/{id}/view"): view,
    ("GET", "/items/{id}/thumbnail"): thumbnail,
    ("GET", "/items/{id}/heatmap"): heatmap,
    ("GET", "/items/{id}/levels"): levels,
    ("GET", "/items/{id}/corrections"): corrections,
    ("GET", "/items/{id}/truth"): truth,
    ("POST", "/items/{id}/corrections"): save_corrections,
    ("POST", "/items/{id}/settings"): save_settings,
    ("POST", "/items/{id}/choice"): save_choice,
    ("POST", "/items/{id}/anyway"): anyway,
}


def make_routes(service: Service) -> list[Route]:
    """The routes as Starlette takes them."""
    return [
        Route(PREFIX + path, _endpoint(service, handler), methods=[method])
        for (method, path), handler in ROUTES.items()
    ]


def _endpoint(service: Service, handler: Callable[[Call], Response]) -> Callable[..., Any]:
    async def endpoint(request: Request) -> Response:
        try:
            body = await _body(request)
            return await run_in_threadpool(_answer, service, handler, request, body)
        except NoSuchWorkspace:
            return _error("This workspace is no longer there. Reload the page.", 401)
        except NoSuchItem as error:
            return _error(str(error), 404)
        except LrpsegError as error:
            return _error(str(error), 400)
        except Exception:
            _log.exception("%s %s", request.method, handler.__name__)
            return _error("Something went wrong on the server. Try again.", 500)

    return endpoint


def _answer(
    service: Service, handler: Callable[[Call], Response], request: Request, body: bytes
) -> Response:
    workspace = service.sessions.get(request.headers.get(TOKEN, ""))
    call = Call(
        service, workspace, request.path_params.get("id", ""), dict(request.query_params), body
    )
    return handler(call)


async def _body(request: Request) -> bytes:
    """The body, unpacked; read in parts so that no client can fill the memory."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > _MAX_BODY:
            raise OptionError("The request is too large.")
        parts.append(part)
    body = b"".join(parts)
    if request.headers.get("content-encoding") != "gzip":
        return body
    try:
        with gzip.open(io.BytesIO(body)) as file:
            unpacked = file.read(_MAX_BODY + 1)
    except (OSError, EOFError) as error:
        raise OptionError(f"The request is damaged: {error}.") from error
    if len(unpacked) > _MAX_BODY:
        raise OptionError("The request is too large.")
    return unpacked


def _whole(query: dict[str, str], name: str) -> int:
    try:
        return int(query[name])
    except (KeyError, ValueError):
        raise OptionError(f"{name} must be a whole number.") from None


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 10**9:
        raise OptionError("An area is a whole number of pixels, 0 or more.")
    return value


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise OptionError("A number was expected.") from None
    return min(max(number, 0.0), 3600.0) if number == number else 0.0


def _json(value: dict[str, Any]) -> Response:
    return JSONResponse(value, headers=_PRIVATE)


def _error(sentence: str, status: int) -> Response:
    return JSONResponse({"error": sentence}, status, headers=_PRIVATE)


def _picture(data: bytes) -> Response:
    kind = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
    return Response(data, media_type=kind, headers=_PRIVATE)


def _packed(data: bytes) -> Response:
    headers = _PRIVATE | {"Content-Encoding": "gzip"}
    return Response(data, media_type="application/octet-stream", headers=headers)
