"""Under which names the page answers, and to whose requests."""

import socket

import pytest

from lrpseg.core.errors import OptionError
from lrpseg.web.sites import WRONG_NAME, WRONG_SITE, Sites, make_sites

HOME = make_sites("127.0.0.1")
TEAM = make_sites("0.0.0.0")
PROXIED = make_sites("127.0.0.1", ["https://masks.example.org"], hosted=True)
HOSTED = make_sites("0.0.0.0", hosted=True)


def said(sites: Sites, method: str = "POST", **headers: str) -> str | None:
    return sites.refusal(method, {name.replace("_", "-"): v for name, v in headers.items()})


@pytest.mark.parametrize(
    ("sites", "host", "answered"),
    [
        (HOME, "localhost:7860", True), (HOME, "127.0.0.1:7860", True), (HOME, "[::1]:80", True),
        (HOME, "LOCALHOST.", True), (HOME, "127.0.0.2", True),
        (HOME, "evil.example:7860", False), (HOME, "localhost.evil.example", False),
        (HOME, "192.168.1.7:7860", False), (HOME, "", False), (HOME, "[::1", False),
        (HOME, "127.0.0.1.evil.example", False), (HOME, "localhost:port", False),
        (TEAM, "192.168.1.7:8080", True), (TEAM, "[fe80::1]:8080", True),
        (TEAM, socket.gethostname().upper(), True), (TEAM, "evil.example", False),
        (make_sites("masks.lan"), "masks.lan:80", True), (make_sites("[::]"), "10.0.0.1", True),
        (make_sites("127.0.0.1", ["masks.lan"]), "masks.lan:8080", True),
        (PROXIED, "masks.example.org", True), (PROXIED, "127.0.0.1:7860", True),
        (PROXIED, "evil.example", False),
        (HOSTED, "someone-lrpseg.hf.space", True),
        (make_sites("127.0.0.1", root_path="https://a.example/masks"), "a.example", True),
    ],
)  # fmt: skip
def test_a_page_answers_under_its_own_names(sites: Sites, host: str, answered: bool) -> None:
    for method in ("GET", "POST"):  # a name that was given this address asks as its own site
        refused = said(sites, method, host=host, sec_fetch_site="same-origin")
        assert refused == (None if answered else WRONG_NAME)


@pytest.mark.parametrize(
    ("sites", "headers", "answered"),
    [
        (HOME, {}, True),  # a program
        (HOME, {"origin": "http://localhost:7860"}, True),
        (HOME, {"origin": "http://localhost:3000"}, False),
        (HOME, {"origin": "https://localhost:7860", "sec-fetch-site": "same-site"}, False),
        (HOME, {"origin": "http://127.0.0.1:7860"}, False),
        (HOME, {"origin": "null"}, False), (HOME, {"origin": "http://[x"}, False),
        (HOME, {"origin": ""}, False),
        (HOME, {"sec-fetch-site": "cross-site"}, False),
        (HOME, {"origin": "http://localhost:3000", "sec-fetch-site": "same-site"}, False),
        (HOME, {"origin": "https://example.org", "sec-fetch-site": "cross-site"}, False),
        (HOSTED, {"origin": "https://example.org"}, False),
        (PROXIED, {"origin": "https://masks.example.org"}, True),
        (PROXIED, {"origin": "http://masks.example.org"}, False),
        (PROXIED, {"origin": "https://masks.example.org:8443"}, False),
        (HOSTED, {"origin": "https://x.hf.space", "sec-fetch-site": "same-origin"}, True),
    ],
)  # fmt: skip
def test_a_page_of_another_site_asks_for_nothing(
    sites: Sites, headers: dict[str, str], answered: bool
) -> None:
    refused = sites.refusal("POST", {"host": "localhost:7860", **headers})
    assert refused == (None if answered else WRONG_SITE)
    if "origin" in headers:  # what reads an answer sends it, also with GET
        assert (sites.refusal("GET", {"host": "localhost:7860", **headers}) is None) == answered


def test_the_port_may_be_left_out_where_it_is_the_usual_one() -> None:
    assert said(HOSTED, host="a.example", origin="https://a.example") is None
    assert said(HOSTED, host="a.example:443", origin="https://a.example") is None
    assert said(HOSTED, host="a.example:8080", origin="https://a.example") == WRONG_SITE


def test_a_link_from_elsewhere_opens_the_page() -> None:
    assert said(HOME, "GET", host="localhost", sec_fetch_site="cross-site") is None


@pytest.mark.parametrize("address", ["", "ftp://x", "https://", "https://x:99999", "http://[x"])
def test_sites_that_are_none(address: str) -> None:
    with pytest.raises(OptionError, match="--site takes"):
        make_sites("127.0.0.1", [address])
