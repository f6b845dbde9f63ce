"""A cache keeps what was used last, up to its limit."""

import pytest

from lrpseg.core.cache import Cache


@pytest.fixture
def cache() -> Cache[str]:
    return Cache(10, len)


def test_what_was_used_last_is_kept(cache: Cache[str]) -> None:
    made = []

    def make(text: str) -> str:
        made.append(text)
        return text

    for text in ("aaaa", "bbbb", "aaaa", "cccc", "aaaa", "bbbb"):
        assert cache.get(text[0], lambda text=text: make(text)) == text
    assert made == ["aaaa", "bbbb", "cccc", "bbbb"]


def test_what_is_larger_than_the_limit_pushes_nothing_out(cache: Cache[str]) -> None:
    cache.put("a", "aaaa")
    assert cache.get("b", lambda: "b" * 11) == "b" * 11
    assert (cache.find("a"), cache.find("b")) == ("aaaa", None)


def test_a_value_is_replaced_and_all_is_forgotten(cache: Cache[str]) -> None:
    cache.put("a", "a" * 9)
    cache.put("a", "a" * 8)
    cache.put("b", "bb")
    assert (cache.find("a"), cache.find("b")) == ("a" * 8, "bb")
    cache.put("a", "a" * 11)  # the former value is no longer true
    assert cache.find("a") is None
    cache.clear()
    assert cache.find("b") is None
