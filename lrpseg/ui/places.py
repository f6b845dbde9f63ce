"""Places in Gradio's queue: one visitor cannot take all of them."""

from typing import Any, Literal

import gradio as gr
from fastapi import Request
from gradio.data_classes import PredictBodyInternal

ALL, EACH = 512, 32
"""Requests that may wait for their turn at a time: of all visitors, and of each."""

Answer = tuple[
    bool, str | list[dict[str, Any]], Literal["success", "error", "queue_full", "validator_error"]
]


def share_places(demo: gr.Blocks, each: int = EACH) -> None:
    """Let the queue of a page refuse what a visitor asks while `each` of their requests wait.

    A visitor is a login, or an address where there are no logins. What runs does not count.
    """
    queue = demo._queue
    inner = queue.push

    async def push(body: PredictBodyInternal, request: Request, username: str | None) -> Answer:
        who = _visitor(request, username)
        waiting = [e for q in queue.event_queue_per_concurrency_id.values() for e in q.queue]
        mine = sum(_visitor(event.request, event.username) == who for event in waiting)
        if mine >= each:
            said = f"{mine} of your requests wait. Ask again when they are done."
            return False, said, "queue_full"
        return await inner(body=body, request=request, username=username)

    queue.push = push


def _visitor(request: Request, username: str | None) -> tuple[str, str]:
    return username or "", "" if username or not request.client else request.client.host
