"""The backend for Label Studio: bodies that are none, and a batch of bad tasks and a good one."""

import base64
import json
from typing import Any

import httpx

from tests.page_support import DAMAGED
from tests.soak import children
from tests.soak.bad_requests import DEEP
from tests.soak.rows import Plan, Row

CONFIG = (
    '<View><Image name="img" value="$image"/><BrushLabels name="tag" toName="img">'
    '<Label value="damaged"/></BrushLabels></View>'
)
BODIES = (
    *DEEP, "[]", "1", "no json", "", '{"tasks": 5}', '{"tasks": [], "label_config": 5}',
    '{"tasks": [], "label_config": "<a"}', '{"tasks": [], "label_config": "\\ud800"}',
    json.dumps({"tasks": [], "label_config": "<!DOCTYPE a [<!ENTITY b 'c'>]><View/>"}),
)  # fmt: skip
BAD_TASKS: tuple[Any, ...] = (
    None, 5, [], {}, {"id": 1}, {"id": [1], "data": {"image": 5}}, {"data": {"image": "\ud800"}},
    {"data": {"image": "/data/local-files/?d=../../etc/passwd"}},
    {"data": {"image": "http://127.0.0.1:1/a.png"}}, {"data": {"image": "data:image/png;base64,%"}},
    {"data": {"image": "data:image/png;base64," + base64.b64encode(b"no picture").decode()}},
    {"id": "a\nsecond line", "data": {"image": "file:///etc/passwd"}},
)  # fmt: skip


def run(plan: Plan) -> list[Row]:
    """One row."""
    log, row = plan.folder / "label-studio.txt", Row("Label Studio's backend", "")
    try:
        with children.serving(plan, log, _serve) as url, httpx.Client(base_url=url) as client:
            _bodies(client)
            _batch(client)
    except (AssertionError, httpx.HTTPError) as error:
        row.failures.append(f"{error!r:.600}: {plan.keep(log.name, log)}")
    row.tried = f"{len(BODIES)} bodies, a batch of {len(BAD_TASKS)} bad tasks and a good one"
    row.held = "each with a sentence of its own; the good task has its mask"
    return [row]


def _serve(port: int) -> None:
    children.command("label-studio", "--port", str(port), "--network", "one-fc", "--device", "cpu",
                     "--thresholder", "simple")  # fmt: skip


def _bodies(client: httpx.Client) -> None:
    for body in BODIES:
        answer = client.post("predict", content=body, timeout=children.PATIENCE)
        assert answer.status_code == 400, f"{body[:60]}: {answer.status_code}"
        assert answer.json()["error"], body[:60]


def _batch(client: httpx.Client) -> None:
    inline = f"data:image/png;base64,{base64.b64encode(DAMAGED.read_bytes()).decode()}"
    tasks = [*BAD_TASKS, {"id": 9, "data": {"image": inline}}]
    sent = json.dumps({"tasks": tasks, "label_config": CONFIG})
    answer = client.post("predict", content=sent, timeout=children.PATIENCE)
    assert answer.status_code == 200, answer.text[:300]
    *bad, good = answer.json()["results"]
    assert good["result"], good
    assert "root:" not in answer.text
    for task, told in zip(BAD_TASKS, bad, strict=True):
        assert told["error"], task
        assert told["result"] == [], task
