"""URIs, methods and addresses that a Common Access Token opens."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import replace
from typing import Any

import cbor2
import pytest

from origin.tokens.cat.form import CatTokens
from origin.tokens.permission import Asked
from tests.fakes.cats import (
    ASKED,
    FORM,
    ISSUER,
    allows,
    refusal,
    token,
)

SHA = hashlib.sha256(b"/film/v0/seg.1.m4s").digest()
SHA512 = hashlib.new("sha512_256", b"/film/v0/seg.1.m4s").digest()


@pytest.mark.parametrize(
    ("catu", "holds"),
    [
        ({0: {0: "https"}}, True),
        ({0: {0: "HTTPS"}}, True),
        ({0: {0: "http"}}, False),
        ({1: {0: "cdn.example"}}, True),
        ({1: {0: "CDN.Example"}}, True),
        ({1: {2: ".example"}}, True),
        ({1: {0: "cdn.example:8443"}}, False),
        ({1: {0: "example"}}, False),
        ({2: {0: "8443"}}, True),
        ({2: {0: "443"}}, False),
        ({3: {0: "/film/v0/seg.1.m4s"}}, True),
        ({3: {0: "/Film/v0/seg.1.m4s"}}, False),
        ({3: {1: "/film/"}}, True),
        ({3: {1: "/fil"}}, True),
        ({3: {1: "/films/"}}, False),
        ({3: {2: ".m4s"}}, True),
        ({3: {3: "/v0/"}}, True),
        ({3: {3: "/v1/"}}, False),
        ({3: {4: ["^/film/v[0-9]/"]}}, True),
        ({3: {4: ["v0"]}}, True),
        ({3: {4: ["^v0"]}}, False),
        ({3: {4: ["SEG", "i"]}}, True),
        ({3: {4: ["SEG", None]}}, False),
        ({3: {-1: SHA}}, True),
        ({3: {-1: SHA.hex()}}, True),
        ({3: {-1: SHA512}}, False),
        ({3: {-2: SHA512}}, True),
        ({4: {0: "a=1"}}, True),
        ({4: {0: ""}}, False),
        ({5: {0: "/film/v0"}}, True),
        ({5: {0: "/film/v0/"}}, False),
        ({6: {0: "seg.1.m4s"}}, True),
        ({7: {0: "seg.1"}}, True),
        ({8: {0: ".m4s"}}, True),
        ({8: {0: "m4s"}}, False),
        ({3: {1: "/film/", 2: ".m4s"}}, True),
        ({3: {1: "/film/", 2: ".m3u8"}}, False),
        ({3: {1: "/film/"}, 0: {0: "http"}}, False),
    ],
)
def test_uris_are_matched_by_parts(catu: dict[int, Any], holds: bool) -> None:
    """Every kind of match; all matches of all parts must hold."""
    assert allows(catu=catu) is holds


def test_ports_hosts_and_names_at_their_borders() -> None:
    """The scheme's own port, addresses in brackets, names without and with nothing but a dot."""
    assert allows(replace(ASKED, authority="cdn.example"), catu={2: {0: "443"}})
    assert allows(replace(ASKED, authority="cdn.example", scheme="http"), catu={2: {0: "80"}})
    assert allows(replace(ASKED, authority="[::1]:8443"), catu={1: {0: "[::1]"}, 2: {0: "8443"}})
    assert allows(replace(ASKED, authority="[::1]"), catu={1: {0: "[::1]"}, 2: {0: "443"}})
    assert allows(replace(ASKED, path="main"), catu={7: {0: "main"}, 8: {0: ""}})
    assert allows(replace(ASKED, path=".key"), catu={7: {0: ".key"}, 8: {0: ""}})
    assert allows(replace(ASKED, path="a."), catu={7: {0: "a"}, 8: {0: "."}})
    assert allows(replace(ASKED, path=""), catu={5: {0: "/film"}, 6: {0: ""}})


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("match", [{4: [".*"]}, {1: ""}, {2: ""}, {3: ""}, {0: ""}])
def test_what_a_request_does_not_say_fits_nothing(part: int, match: dict[int, Any]) -> None:
    """Not even a pattern that an empty text fits."""
    assert not allows(Asked(title="film", path="main.m3u8"), catu={part: match})


def test_an_issuer_with_a_base_has_one_host_wherever_viewers_come_in() -> None:
    """Behind a proxy for TLS the client's scheme and host are not what the server sees."""
    form = CatTokens([replace(ISSUER, base="https://cdn.example")])
    found = form.permission(token(catu={0: {0: "https"}, 1: {0: "cdn.example"}, 2: {0: "443"}}))
    asked = replace(ASKED, scheme="http", authority="10.0.0.1:8080")
    assert refusal(found, asked) is None
    assert refusal(FORM.permission(token(catu={0: {0: "https"}})), asked) == "wrong-uri"


def test_methods_are_those_of_the_list() -> None:
    """HEAD is not GET; an empty list permits none."""
    assert allows(catm=["GET", "POST"])
    assert not allows(replace(ASKED, method="HEAD"), catm=["GET"])
    assert not allows(catm=[])
    assert not allows(catm=["get"])


@pytest.mark.parametrize(
    ("address", "holds"),
    [
        ("192.0.2.7", True),
        ("192.0.3.7", False),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("fe80::1%eth0", True),
        ("", False),
        ("unknown", False),
        ("10.0.0.9", True),
        ("10.0.0.8", False),
    ],
)
def test_addresses_are_matched_by_prefix(address: str, holds: bool) -> None:
    """One network suffices; a number of an autonomous system beside them permits nobody more."""
    nets = ["192.0.2.0/24", "2001:db8::/32", "fe80::/10"]
    catnip = [64512, *map(ipaddress.ip_network, nets), ipaddress.ip_address("10.0.0.9")]
    assert allows(replace(ASKED, address=address), catnip=catnip) is holds


def test_prefixes_are_read_with_and_without_the_zeros_at_their_end() -> None:
    """RFC 9164 leaves them out, node-cat writes them."""
    for octets in (b"\xc0\x00\x02", b"\xc0\x00\x02\x00"):
        assert allows(catnip=[cbor2.CBORTag(52, [24, octets])])


def test_limits_say_what_they_want_and_what_they_found() -> None:
    """For the one who asks why a URL is refused."""
    catu = {1: {0: "cdn.example"}, 3: {1: "/show/"}}
    nets = [ipaddress.ip_network("10.0.0.0/8")]
    found = FORM.permission(token(catu=catu, catm=["PUT", "GET"], catnip=nets))
    said = {limit.claim: (limit.wanted, limit.found(ASKED)) for limit in found.limits}
    assert said == {
        "catm": ("GET or PUT", "GET"),
        "catnip": ("a client in 10.0.0.0/8", "192.0.2.7"),
        "catu": ("host exact cdn.example, path prefix /show/", "path /film/v0/seg.1.m4s"),
    }
    unknown = Asked(title="film", path="main.m3u8")
    assert {limit.claim: limit.found(unknown) for limit in found.limits} == {
        "catm": "GET",
        "catnip": "a client whose address is not known",
        "catu": "a request whose host is not known",
    }
