"""Logins: wrong ones are slowed down, and other ones change the token of the workspace."""

import asyncio
import json
import stat
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException

from lrpseg.web.logins import (
    FORGOTTEN,
    FREE,
    FREE_OF_ADDRESS,
    LONGEST,
    Logins,
    Slowed,
    caller,
    renew_token,
)
from lrpseg.workspace import Sessions

ANNA = [("anna", "secret")]


class Door:
    """Logins, a clock that is set by hand, and an address to come from."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.logins = Logins(ANNA, lambda: self.now)

    def tries(self, name: str, password: str, address: str = "10.0.0.1") -> bool | int:
        """Whether the login was right; or the seconds to wait."""
        caller.set(address)
        try:
            return asyncio.run(self.logins.check(name, password))
        except HTTPException as error:
            return int((error.headers or {})["Retry-After"])


@pytest.fixture
def door() -> Door:
    return Door()


def test_right_and_wrong_logins(door: Door) -> None:
    assert door.tries("anna", "secret") is True
    for name, password in (("anna", "x"), ("anna", ""), ("bob", "secret"), ("", ""), ("é", "☃")):
        assert door.tries(name, password) is False


def test_wrong_ones_wait_longer_and_longer(door: Door) -> None:
    assert [door.tries("anna", "x") for _ in range(FREE)] == [False] * FREE
    waits = []
    for _ in range(10):
        waits.append(door.tries("anna", "secret"))  # also a right one: else a guess is told
        door.now += float(waits[-1])
        assert door.tries("anna", "x") is False
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert max(waits) == LONGEST
    assert door.tries("anna", "secret", "10.0.0.2") is True  # who is elsewhere is not held up
    door.now += LONGEST
    assert door.tries("anna", "secret") is True
    assert door.tries("anna", "x") is False
    assert door.tries("anna", "secret") is True  # and those before it count no more


def test_one_address_has_few_tries_for_all_names(door: Door) -> None:
    found = [door.tries(f"name {n}", "x", "2001:db8::1") for n in range(FREE_OF_ADDRESS)]
    assert found == [False] * FREE_OF_ADDRESS
    assert door.tries("anna", "secret", "2001:db8::ffff") == 1  # the same subscriber's network
    assert door.tries("anna", "secret", "2001:db8:0:1::1") is True
    door.now += FORGOTTEN + LONGEST + 1
    assert door.tries("one more", "x", "2001:db8::1") is False
    assert door.tries("anna", "secret", "2001:db8::1") is True


def test_many_at_once_get_no_more_tries(door: Door) -> None:
    async def flood() -> list[object]:
        caller.set("10.0.0.1")
        tries = [door.logins.check("anna", f"{n}") for n in range(200)]
        return await asyncio.gather(*tries, return_exceptions=True)

    assert asyncio.run(flood()).count(False) == FREE


def test_memory_is_bounded() -> None:
    slowed = Slowed(1, most=3)
    for n in range(10):
        slowed.wrong(str(n), 0.0)
    assert len(slowed) == 3
    assert slowed.wait("9", 0.0) > 0


def token(folder: Path, pairs: list[tuple[str, str]]) -> str:
    """The token with which a page with these logins starts."""
    renew_token(folder, pairs)
    return Sessions(folder).open()[0]


def test_other_logins_are_another_token(tmp_path: Path) -> None:
    bob = ("bob", "pass")
    alone = token(tmp_path, [])
    assert token(tmp_path, []) == alone
    both = token(tmp_path, [*ANNA, bob])
    assert both != alone
    assert token(tmp_path, [bob, *ANNA]) == both
    without = token(tmp_path, ANNA)
    assert without != both
    assert token(tmp_path, [("anna", "other")]) not in (without, both)
    assert token(tmp_path, []) not in (without, both, alone)
    assert not (tmp_path / "logins").exists()


def test_no_password_is_kept(tmp_path: Path) -> None:
    token(tmp_path, ANNA)
    kept = tmp_path / "logins"
    assert "secret" not in kept.read_text()
    assert set(json.loads(kept.read_text())) == {"salt", "scrypt"}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize("held", ["", "[]", "{}", '{"salt": 1, "scrypt": "zz"}', "\0"])
def test_a_damaged_note_of_logins_costs_the_token_alone(tmp_path: Path, held: str) -> None:
    first = token(tmp_path, ANNA)
    (tmp_path / "logins").write_text(held)
    second = token(tmp_path, ANNA)
    assert second != first
    assert token(tmp_path, ANNA) == second
