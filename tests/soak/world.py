"""A page with a login, on which a visitor misbehaves beside another one; and what is expected."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import pytest
from PIL import Image

from lrpseg.ui.messages import SORRY
from tests.core.test_images import encoded
from tests.shapes import surface
from tests.soak.rows import Plan
from tests.soak.visitor import RefusedError, Visitor
from tests.workspace_support import picture

T = TypeVar("T")
PASSWORD = "a-password-of-the-soak"
LOGIN = {"username": "anna", "password": PASSWORD}
SECRET = "a secret name"
"""Of pictures and files that are sent: it is to be in no log."""


@dataclass(frozen=True)
class World:
    """plan: of the soak. visitor: who misbehaves, whose only picture is `id`, of `shape`. stranger:
    somebody else, whose only picture is `foreign`."""

    plan: Plan
    url: str
    visitor: Visitor
    id: str
    shape: tuple[int, int]
    stranger: Visitor
    foreign: str

    @classmethod
    def of(cls, plan: Plan, url: str) -> "World":
        visitor, stranger = Visitor(url, LOGIN), Visitor(url, LOGIN)
        shape = (300, 400) if plan.short else (1000, 1700)
        large = encoded(Image.fromarray(surface(*shape)))
        id = visitor.add(f"{SECRET}.png", large, network="one-fc")["id"]
        foreign = stranger.add("mine.png", picture(1), network="one-fc")["id"]
        for who, what in ((visitor, id), (stranger, foreign)):
            who.analysed(what)
        return cls(plan, url, visitor, id, shape, stranger, foreign)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.visitor.token, self.stranger.token, PASSWORD, SECRET)

    def some(self, things: Sequence[T]) -> Sequence[T]:
        """All of them; in the short form the first two."""
        return things[:2] if self.plan.short else things

    def outsider(self) -> httpx.Client:
        """Somebody who is not logged in."""
        return httpx.Client(base_url=self.url, timeout=self.visitor.http.timeout)


def refused(answer: httpx.Response, *statuses: int) -> None:
    """An answer says in a sentence why not."""
    right = answer.status_code in (statuses or range(400, 500))
    assert right, f"{answer.request.url}: {answer.status_code} {answer.text[:200]}"
    told = answer.json()
    said = told.get("error") or told.get("detail")
    assert isinstance(said, str), f"{answer.request.url}: says {answer.text[:200]}"
    assert said.strip(), f"{answer.request.url}: says nothing"


def says(visitor: Visitor, endpoint: str, *data: Any, body: str | None = None) -> str:
    """What an endpoint says that does not do what is asked; `body`: JSON that is written by
    hand."""
    sent = body if body is not None else json.dumps({"data": data})
    with pytest.raises(RefusedError) as caught:
        visitor.answer(endpoint, visitor.begin(endpoint, sent))
    status, said = caught.value.status, str(caught.value)
    assert status < 500, f"{endpoint}: {status} {said[:200]}"
    if status == 200:
        said = json.loads(said).get("error") or ""
    assert said, f"{endpoint} says nothing"
    assert said != SORRY, f"{endpoint} did not foresee this: {sent[:100]}"
    return said
