"""A machine-learning backend for Label Studio: masks appear while a labeler opens a task.

    lrpseg label-studio --url http://localhost:8080 --api-key KEY --port 9090

It speaks the protocol of https://github.com/HumanSignal/label-studio-ml-backend: /health, /setup,
/predict, /webhook, /versions. Pictures are fetched from that one Label Studio, or read below
--root; an address that a task holds is never followed to another host.
"""

import base64
import http.client
import json
import logging
import os
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lrpseg.core.errors import ImageError, LrpsegError, OptionError
from lrpseg.folders import Job
from lrpseg.folders.block import mask_of
from lrpseg.formats.label_studio import FROM_NAME, TO_NAME, region
from lrpseg.pipeline.segmenter import Segmenter
from lrpseg.version import __version__

VERSION = f"lrpseg-{__version__}"
MAX_BYTES = 500_000_000
_LOCAL = "/data/local-files/"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tags:
    """What a project's labelling configuration calls things: the brush's tag, the image's tag, the
    task's field that holds the picture, and its label for each class of damage."""

    from_name: str
    to_name: str
    field: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Pictures:
    """Where tasks' pictures may come from. url, key: of Label Studio; root: folder of its local
    files (LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT)."""

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
        if not parts.scheme and parts.path.startswith(_LOCAL) and self.root is not None:
            return self._local(parse_qs(parts.query).get("d", [""])[0])
        if parts.scheme in ("http", "https", "") and self.url is not None:
            return self._fetch(address)
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

    def _fetch(self, address: str) -> bytes:
        home, there = urlsplit(self.url or ""), urlsplit(address)
        elsewhere = (there.scheme or home.scheme, there.netloc) != (home.scheme, home.netloc)
        if (there.scheme or there.netloc) and elsewhere:
            raise ImageError(
                f"{there.netloc} is not the Label Studio at {home.netloc}: other hosts are not "
                "asked. Upload the picture to Label Studio, or use its local files."
            )
        # Without its slash a path would go on with the host's name or port: the token went astray.
        path = "/" + there.path.lstrip("/") + (f"?{there.query}" if there.query else "")
        base = f"{home.scheme}://{home.netloc}"
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            request = urllib.request.Request(base + path)
            if self.key:
                request.add_header("Authorization", _authorization(self.key, base, opener))
            with opener.open(request, timeout=60) as answer:
                data = answer.read(MAX_BYTES + 1)
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


def read_tags(config: Any, classes: Sequence[str]) -> Tags:
    """What a labelling configuration (XML) calls things. A class is drawn as the label of its name;
    an only class that has none, as the first label.

    Raises `OptionError` where there is no brush on an image, or none of several classes is a label.
    """
    if not isinstance(config, str):
        raise OptionError("The labelling configuration is no text.")
    try:
        if "<!DOCTYPE" in config or "<!ENTITY" in config:
            raise OptionError("The labelling configuration has entities, which are not read.")
        root = ElementTree.fromstring(config)
    except ElementTree.ParseError as error:
        raise OptionError(f"The labelling configuration is no XML: {error}.") from error
    for brush in root.iter("BrushLabels"):
        for image in root.iter("Image"):
            if image.get("name") == brush.get("toName"):
                labels = [entry.get("value", "") for entry in brush.iter("Label")]
                chosen = {name: name for name in classes if name in labels}
                if not chosen and len(classes) == 1:
                    chosen = {classes[0]: next(iter(labels), classes[0])}
                if not chosen:
                    raise OptionError(
                        f"None of {', '.join(classes)} is a label of the project: "
                        "`lrpseg label-studio --config`."
                    )
                field = (image.get("value") or "$image").removeprefix("$")
                return Tags(brush.get("name", ""), image.get("name", ""), field, chosen)
    raise OptionError("The project has no BrushLabels on an Image: `lrpseg label-studio --config`.")


def predict_task(
    task: dict[str, Any], tags: Tags, job: Job, segmenter: Segmenter, pictures: Pictures
) -> dict[str, Any]:
    """The prediction for one task; one whose picture cannot be had is empty and says why."""
    try:
        data = task.get("data")
        address = data.get(tags.field) if isinstance(data, dict) else None
        if not isinstance(address, str):
            raise ImageError(f"The task holds no address of a picture in its field {tags.field!r}.")
        result = segmenter(pictures.read(address), explain_intact=job.min_probability < 0.5)
    except LrpsegError as error:
        _log.warning("task %s: %s", task.get("id"), error)
        return {"result": [], "score": 0.0, "model_version": VERSION, "error": str(error)}
    regions = []
    for layer, label in zip(result.layers, job.options.labels, strict=True):
        mask = mask_of(layer, job)
        if label.name in tags.labels and mask.any():
            of = "" if len(result.layers) == 1 else f" {layer.name}"
            entry = region(mask, tags.labels[label.name], f"task {task.get('id')}{of}")
            regions.append({**entry, "from_name": tags.from_name, "to_name": tags.to_name})
    return {"result": regions, "score": result.probability, "model_version": VERSION}


def make_app(job: Job, segmenter: Segmenter, pictures: Pictures) -> Starlette:
    """The backend as an ASGI app."""
    classes = [label.name for label in job.options.labels]
    fallback = Tags(FROM_NAME, TO_NAME, "image", {name: name for name in classes})

    def predict(body: dict[str, Any]) -> dict[str, Any]:
        config = body.get("label_config")
        tags = fallback if config in (None, "") else read_tags(config, classes)
        tasks = body.get("tasks")
        if not isinstance(tasks, list) or not all(isinstance(t, dict) for t in tasks):
            raise OptionError("The request has no list of tasks.")
        return {
            "results": [predict_task(t, tags, job, segmenter, pictures) for t in tasks],
            "model_version": VERSION,
        }

    def setup(body: dict[str, Any]) -> dict[str, Any]:
        if body.get("schema"):
            read_tags(body["schema"], classes)
        return {"model_version": VERSION}

    def status(_: dict[str, Any]) -> dict[str, Any]:
        return {"status": "UP", "model_class": "lrpseg", "v2": True}

    def versions(_: dict[str, Any]) -> dict[str, Any]:
        return {"versions": [VERSION]}

    def webhook(_: dict[str, Any]) -> dict[str, Any]:
        return {"result": "nothing to do", "status": "ok"}  # it does not train

    return Starlette(
        routes=[
            Route("/", _endpoint(status), methods=["GET"]),
            Route("/health", _endpoint(status), methods=["GET"]),
            Route("/setup", _endpoint(setup), methods=["POST"]),
            Route("/predict", _endpoint(predict), methods=["POST"]),
            Route("/webhook", _endpoint(webhook), methods=["POST"]),
            Route("/versions", _endpoint(versions), methods=["GET"]),
        ]
    )


def _endpoint(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[..., Any]:
    async def endpoint(request: Request) -> JSONResponse:
        try:
            body = await request.json() if request.method == "POST" else {}
            if not isinstance(body, dict):
                raise ValueError
        except ValueError:
            return JSONResponse({"error": "A JSON object was expected."}, 400)
        try:
            return JSONResponse(await run_in_threadpool(answer, body))
        except LrpsegError as error:
            return JSONResponse({"error": str(error)}, 400)

    return endpoint


def serve(job: Job, pictures: Pictures, host: str, port: int, device: str) -> None:
    """Run the backend until it is stopped."""
    import uvicorn

    pictures = Pictures(
        pictures.url or os.environ.get("LABEL_STUDIO_URL"),
        pictures.key or os.environ.get("LABEL_STUDIO_API_KEY"),
        pictures.root,
    )
    uvicorn.run(make_app(job, job.segmenter(device), pictures), host=host, port=port)
