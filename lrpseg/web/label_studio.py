"""A machine-learning backend for Label Studio: masks appear while a labeler opens a task.

    lrpseg label-studio --url http://localhost:8080 --api-key KEY --port 9090

It speaks the protocol of https://github.com/HumanSignal/label-studio-ml-backend: /health, /setup,
/predict, /webhook, /versions. Pictures are fetched from that one Label Studio, or read below
--root; an address that a task holds is never followed to another host.
"""

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lrpseg.core.errors import ImageError, LrpsegError, OptionError
from lrpseg.folders import Job
from lrpseg.folders.block import mask_of
from lrpseg.formats.label_studio import FROM_NAME, TO_NAME, region
from lrpseg.pipeline.segmenter import Segmenter
from lrpseg.version import __version__
from lrpseg.web import bodies, inputs
from lrpseg.web.label_studio_pictures import MAX_BYTES, Pictures
from lrpseg.web.log import one_line, unexpected

VERSION = f"lrpseg-{__version__}"
MAX_BODY = MAX_BYTES * 4 // 3 + 10_000_000
"""Bytes of a request: tasks may hold a picture in base64."""

FAILED = "Something went wrong on the server; its log says where."
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tags:
    """What a project's labelling configuration calls things: the brush's tag, the image's tag, the
    task's field that holds the picture, and its label for each class of damage."""

    from_name: str
    to_name: str
    field: str
    labels: Mapping[str, str]


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
    except (ElementTree.ParseError, UnicodeError) as error:
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
    task: object, tags: Tags, job: Job, segmenter: Segmenter, pictures: Pictures
) -> dict[str, Any]:
    """The prediction for one task; one whose picture cannot be had is empty and says why."""
    name = one_line(task.get("id") if isinstance(task, dict) else None)
    try:
        return _predicted(name, _address(task, tags.field), tags, job, segmenter, pictures)
    except LrpsegError as error:
        said = one_line(error)
        _log.warning("task %s: %s", name, said)
    except Exception as error:  # whatever a task makes of us, the others of its batch go on
        said = FAILED
        unexpected(_log, f"task {name}", error)
    return {"result": [], "score": 0.0, "model_version": VERSION, "error": said}


def _address(task: object, field: str) -> str:
    """Where the picture of a task lies; raises `LrpsegError`."""
    data = task.get("data") if isinstance(task, dict) else None
    address = data.get(field) if isinstance(data, dict) else None
    if not isinstance(address, str):
        raise ImageError(f"The task holds no address of a picture in its field {field!r}.")
    return inputs.text(address, "The address of the picture")


def _predicted(
    name: str, address: str, tags: Tags, job: Job, segmenter: Segmenter, pictures: Pictures
) -> dict[str, Any]:
    result = segmenter(pictures.read(address), explain_intact=job.min_probability < 0.5)
    regions = []
    for layer, label in zip(result.layers, job.options.labels, strict=True):
        mask = mask_of(layer, job)
        if label.name in tags.labels and mask.any():
            of = "" if len(result.layers) == 1 else f" {layer.name}"
            entry = region(mask, tags.labels[label.name], f"task {name}{of}")
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
        if not isinstance(tasks, list):
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


class _Json(JSONResponse):
    """In ASCII: what tasks and configurations call things need not be whole characters."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False).encode("ascii")


def _endpoint(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[..., Any]:
    def answered(body: bytes) -> dict[str, Any]:
        try:
            given = json.loads(body)
        except (ValueError, RecursionError):  # the latter of brackets in brackets in brackets
            given = None
        if not isinstance(given, dict):
            raise OptionError("A JSON object was expected.")
        return answer(given)

    async def endpoint(request: Request) -> JSONResponse:
        if request.method == "POST" and "origin" in request.headers:
            # Label Studio's server asks; a browser would only do so for a page of somebody else's.
            return _Json({"error": "The backend answers Label Studio, not a browser."}, 403)
        try:
            body = await bodies.read(request, MAX_BODY) if request.method == "POST" else b"{}"
            return _Json(await run_in_threadpool(answered, body))
        except bodies.BodyError as error:
            return _Json({"error": str(error)}, error.status)
        except LrpsegError as error:
            return _Json({"error": str(error)}, 400)
        except ClientDisconnect:
            return _Json({"error": "The request was given up."}, 400)  # nobody reads it

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
