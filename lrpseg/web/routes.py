"""The routes that the editor in the browser talks to; each request names its workspace by token.

The token stands in a header of our own: a page of another origin cannot send it (CORS), and who has
no token learns nothing, not even whether a picture exists.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lrpseg.app import commands, views
from lrpseg.app.service import Service
from lrpseg.core.errors import DiskFullError, LrpsegError, OptionError
from lrpseg.masks.render import COLORMAPS
from lrpseg.web import bodies, describe, inputs
from lrpseg.web.log import unexpected
from lrpseg.workspace import (
    Item,
    NoSuchItem,
    NoSuchWorkspace,
    UnavailableError,
    Workspace,
    WorkspaceError,
)

PREFIX = "/lrpseg"
TOKEN = "x-lrpseg-workspace"
WRITERS = 4
"""So many bodies are unpacked and stored at once; each may be as large as its picture."""

_PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Call:
    """One request, with its workspace and, where the path names one, its picture.

    `raw`: the body as it came, of at most `limit` bytes when it is unpacked; `body` unpacks it, in
    the thread that answers.
    """

    service: Service
    workspace: Workspace
    id: str
    query: dict[str, str]
    packed: bool = False
    limit: int = 0
    raw: bytes = field(default=b"", repr=False)

    @property
    def item(self) -> Item:
        return self.workspace.item(self.id)

    @property
    def class_name(self) -> str | None:
        """The class that the request is about; None: the only one."""
        return self.query.get("class")

    @property
    def rect(self) -> tuple[int, int, int, int]:
        """The rectangle (x, y, w, h) that the request is about."""
        x, y, w, h = (inputs.digits(self.query.get(name), name) for name in "xywh")
        return x, y, w, h

    @property
    def body(self) -> bytes:
        """The body, unpacked."""
        return bodies.unpacked(self.raw, self.limit) if self.packed else self.raw

    def json(self) -> dict[str, Any]:
        return bodies.parse_object(self.body)


def items(call: Call) -> Response:
    """All pictures of the workspace, or with `since`, the serial of a former answer, what changed
    from then on."""
    serial = call.workspace.serial()  # first: what changes during the listing is told once more

    def entries() -> list[dict[str, Any]]:
        found = call.workspace.items()
        if any(item.status == "waiting" for item in found):  # a damaged analysis is made again
            call.service.analyser.wake(call.workspace)
        return [describe.summary(item) for item in found]

    place, since = str(call.workspace.folder), call.query.get("since")
    return _json(call.service.listings.news(place, str(serial), since, entries))


def item(call: Call) -> Response:
    """One picture with its levels, operating points and verdict."""
    found = call.item
    if found.status == "waiting":  # somebody looks at it
        call.service.analyser.prefer(call.workspace, found.id)
    if not found.analysis:  # waiting, running or failed: there is no map yet
        return _json(describe.summary(found))
    return _json(describe.details(call.service, call.workspace, found))


def view(call: Call) -> Response:
    return _picture(views.view(call.workspace.image(call.id)))


def thumbnail(call: Call) -> Response:
    return _picture(call.workspace.thumbnail(call.id))


def heatmap(call: Call) -> Response:
    colormap = call.query.get("colormap", next(iter(COLORMAPS)))
    COLORMAPS[colormap]
    item = call.item
    if not item.analysis:  # of a picture under way, what was found so far
        size = views.view_size(item.height, item.width)
        found = call.service.analyser.sketch(call.workspace, item.id, size)
        if found is not None:
            return _picture(views.heatmap_view(call.workspace.image(item.id), found, colormap))
    of = call.query.get("of", "relevance")
    if of not in ("relevance", "evidence"):
        raise OptionError(f"A map is of 'relevance' or 'evidence', not {of!r}.")
    read = call.workspace.evidence if of == "evidence" else call.workspace.relevance
    shown = read(call.id, call.class_name)
    return _picture(views.heatmap_view(call.workspace.image(call.id), shown, colormap))


def levels(call: Call) -> Response:
    return _packed(call.service.levels.of(call.workspace, call.item, call.class_name).packed)


def corrections(call: Call) -> Response:
    return _packed(views.pack(call.workspace.corrections(call.id, _first(call))))


def truth(call: Call) -> Response:
    found = call.workspace.truth(call.id, _first(call))
    if found is None:
        return _error("There is no ground truth for this picture.", 404)
    return _packed(views.pack(found.astype("uint8")))


def reason(call: Call) -> Response:
    """How far the heatmap is the reason for the decision; measured where it is not known yet."""
    service = call.service
    found = service.reasons.of(service.analyser.segmenters, call.workspace, call.item)
    return _json(found.as_json())


def save_corrections(call: Call) -> Response:
    """A rectangle of corrections, (h, w) uint8 of 0, 1 and 2, row by row."""
    seconds = inputs.seconds(call.query.get("seconds", "0"))  # first: nothing is stored by halves
    revision = commands.correct(
        call.workspace, call.id, call.rect, call.body, seconds, _first(call)
    )
    return _json({"revision": revision, "writes": 1, "status": call.item.status})


def save_settings(call: Call) -> Response:
    """Threshold, cleaning, status and seconds spent; a mask that nobody saw is not accepted.

    The answer's `writes` says by how much this request itself raised the revision.
    """
    given, found, workspace, of = call.json(), call.item, call.workspace, _first(call)
    cleans = "min_area" in given or "max_hole" in given
    seconds = inputs.seconds(given.get("seconds", 0))
    if given.get("status") == "accepted":
        commands.check_shown(found, given.get("shown"))
    if "level" in given:
        commands.set_level(
            call.service, workspace, found, given["level"], given.get("analysis"), of
        )
    if cleans:
        layer = found.layer(of)
        commands.set_cleaning(
            workspace,
            call.id,
            given.get("min_area", layer.min_area),
            given.get("max_hole", layer.max_hole),
            of,
        )
    if "status" in given:
        commands.set_status(workspace, call.id, str(given["status"]))
    if "seconds" in given:
        commands.spend(workspace, call.id, seconds)
    writes = ("level" in given) + cleans + ("status" in given)
    found = call.item
    return _json({"revision": found.revision, "writes": writes, "status": found.status})


def save_choice(call: Call) -> Response:
    """A choice as `item` told it once: undo and redo bring it back."""
    choice = call.json()
    inputs.flag(choice.get("explain_intact", False), "explain_intact")
    found = commands.restore_choice(call.service, call.workspace, call.id, choice)
    return _json(describe.summary(found))


def anyway(call: Call) -> Response:
    """Explain a picture that was classified intact."""
    found = commands.explain_anyway(call.service, call.workspace, call.id)
    return _json(describe.summary(found))


def delete(call: Call) -> Response:
    commands.remove(call.workspace, call.id)
    return _json({})


def _first(call: Call) -> str:
    """The class that the request is about; without one the first, the only one of most domains."""
    return call.class_name or call.item.layers[0].name


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
    ("GET", "/items/{id}/reason"): reason,
    ("POST", "/items/{id}/corrections"): save_corrections,
    ("POST", "/items/{id}/settings"): save_settings,
    ("POST", "/items/{id}/choice"): save_choice,
    ("POST", "/items/{id}/anyway"): anyway,
}


def _stroke_bytes(call: Call) -> int:
    """Bytes of the rectangle that is sent, which lies in the picture."""
    (x, y, w, h), item = call.rect, call.item
    if min(w, h) == 0 or x + w > item.width or y + h > item.height:
        raise WorkspaceError("The stroke does not fit the picture. Reload the page.")
    return w * h


def _json_bytes(call: Call) -> int:
    call.item  # noqa: B018  # of a picture that is not there nothing is read
    return bodies.MAX_JSON


BODIES: dict[Callable[[Call], Response], Callable[[Call], int]] = {
    save_corrections: _stroke_bytes,
    save_settings: _json_bytes,
    save_choice: _json_bytes,
}
"""How large an unpacked body may be, for what takes one; of other requests no body is read."""


SLOW = (reason,)
"""What runs a network: one at a time, so that it keeps nobody else waiting for a thread."""


def make_routes(service: Service) -> list[Route]:
    """The routes as Starlette takes them."""
    writers, measuring = CapacityLimiter(WRITERS), CapacityLimiter(1)
    return [
        Route(
            PREFIX + path,
            _endpoint(service, handler, measuring if handler in SLOW else writers),
            methods=[method],
        )
        for (method, path), handler in ROUTES.items()
    ]


def _endpoint(
    service: Service, handler: Callable[[Call], Response], limiter: CapacityLimiter
) -> Callable[..., Any]:
    limit_of = BODIES.get(handler)
    own = limiter if handler in SLOW else None  # others may all look at once

    def begin(request: Request) -> Call:
        """The call without its body: token, picture and rectangle come first."""
        call = Call(
            service,
            service.sessions.get(request.headers.get(TOKEN, "")),
            request.path_params.get("id", ""),
            dict(request.query_params),
        )
        if limit_of is None:
            return call
        return replace(call, packed=bodies.is_packed(request), limit=limit_of(call))

    async def answer(request: Request) -> Response:
        if limit_of is None:
            return await to_thread.run_sync(lambda: handler(begin(request)), limiter=own)
        call = await to_thread.run_sync(begin, request)
        most = bodies.packed_limit(call.limit) if call.packed else call.limit
        call = replace(call, raw=await bodies.read(request, most))
        return await to_thread.run_sync(handler, call, limiter=limiter)

    async def endpoint(request: Request) -> Response:
        try:
            return await answer(request)
        except NoSuchWorkspace:
            return _error("This workspace is no longer there. Reload the page.", 401)
        except NoSuchItem as error:
            return _error(str(error), 404)
        except commands.ChangedError as error:
            return _error(str(error), 409)
        except bodies.BodyError as error:
            return _error(str(error), error.status)
        except (DiskFullError, UnavailableError) as error:  # the browser keeps it, and tries again
            return _error(str(error), 507)
        except LrpsegError as error:
            return _error(str(error), 400)
        except ClientDisconnect:
            return _error("The request was given up.", 400)  # nobody reads it
        except Exception as error:
            unexpected(_log, f"{request.method} {handler.__name__}", error)
            return _error("Something went wrong on the server. Try again.", 500)

    return endpoint


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
