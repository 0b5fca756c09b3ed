"""Plain requests for keys: what is read without a parser, and what is left to it."""

from __future__ import annotations

import pytest

from origin.keyhead import KeyHead, KeyHeads, Missing

KID = "00112233445566778899aabbccddeeff"
TARGET = f"/t/a.b-c_d/film/key/{KID}"
FIELDS = "Host: edge.example:8080\r\nUser-Agent: x\r\nSec-Fetch-Mode: cors"


def request(
    target: str = TARGET, fields: str = FIELDS, method: str = "GET", body: str = ""
) -> bytes:
    """A request as it is sent."""
    return f"{method} {target} HTTP/1.1\r\n{fields}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    "target",
    [
        TARGET,
        f"/t/a.b-c_d/film/r1f0/key/{KID}",
        f"{TARGET}?CMCD=bl%3D1000%2Cot%3Dk",
        "/t/a.b-c_d/film/renew",
    ],
)
def test_a_plain_request_is_read_first_and_again(target: str) -> None:
    heads = KeyHeads()
    for _ in range(2):
        head = heads.read(request(target))
        assert isinstance(head, KeyHead)
        assert (head.method, head.target, head.host) == ("GET", target, "edge.example:8080")
        assert head.fields == f"\r\n{FIELDS}\r\n\r\n".encode()
        assert head.body == b""


@pytest.mark.parametrize("target", ["/t/x.y/film/licence", "/t/x.y/film/r1f0/licence/clearkey"])
def test_a_licence_request_is_read_with_its_body(target: str) -> None:
    fields = f"{FIELDS}\r\nContent-Type: application/json\r\nContent-Length: 2"
    head = KeyHeads().read(request(target, fields, "POST", "{}"))
    assert isinstance(head, KeyHead)
    assert head.body == b"{}"


def test_of_a_body_that_has_not_all_come_it_says_how_much_is_missing() -> None:
    fields = f"{FIELDS}\r\nContent-Length: 2"
    whole = request("/t/x.y/film/licence", fields, "POST", "{}")
    heads = KeyHeads()
    assert heads.read(whole[:-2]) == Missing(2)
    assert heads.read(whole[:-1]) == Missing(1)
    assert isinstance(heads.read(whole), KeyHead)
    assert heads.read(whole[:-3]) is None


def test_what_tiers_add_and_browsers_say_of_caches_is_passed_on() -> None:
    fields = f'{FIELDS}\r\nVia: 1.1 isp\r\nCDN-Loop: abrkit; id="1"\r\nCache-Control: no-cache'
    assert isinstance(KeyHeads().read(request(fields=fields)), KeyHead)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        request()[:-1],
        request() + b"G",
        request() + request(),
        request(method="HEAD"),
        request(method="PUT"),
        request("/t/a.b/film/v0/init.mp4"),
        request("/film/key/" + KID),
        request(TARGET[:-1]),
        request(TARGET + "/x"),
        request(TARGET.upper()),
        request(f"/t/a%2fb/film/key/{KID}"),
        request(f"/t/a.b/../key/{KID}"),
        request(f"/t/a.b;URISigningPackage=c/film/key/{KID}"),
        request(f"{TARGET}?URISigningPackage=a.b.c"),
        request(f"{TARGET}?CMCD=a&URISigningPackage=a.b.c"),
        request().replace(b"HTTP/1.1", b"HTTP/1.0"),
        request().replace(b"\r\n", b"\n"),
        request(fields="User-Agent: x"),
        request(fields="Host: a\r\nHost: a"),
        request(fields=f"{FIELDS}\r\nCookie: t=1"),
        request(fields=f"{FIELDS}\r\nAuthorization: Bearer a.b.c"),
        request(fields=f"{FIELDS}\r\nCTA-Common-Access-Token: x"),
        request(fields=f"{FIELDS}\r\nRange: bytes=0-3"),
        request(fields=f"{FIELDS}\r\nConnection: close"),
        request(fields=f"{FIELDS}\r\nTransfer-Encoding: chunked"),
        request(fields=f"{FIELDS}\r\nExpect: 100-continue"),
        request(fields=f"{FIELDS}\r\nSec-Purpose: prefetch"),
        request(fields=f"{FIELDS}\r\nContent-Length: 2", body="{}"),
        request(fields=f"{FIELDS}\r\nContent-Length: 1", method="POST", body="{}"),
        request(fields=f"{FIELDS}\r\nContent-Length: 02", method="POST", body="{}"),
        request(fields=f"{FIELDS}\r\nContent-Length: +2", method="POST", body="{}"),
        request(
            fields=f"{FIELDS}\r\nContent-Length: 2\r\nContent-Length: 2", method="POST", body="{}"
        ),
        request(fields=f"{FIELDS}\r\nContent-Length: 20000", method="POST", body="x" * 20_000),
        request(fields=f"{FIELDS}\r\n folded: x"),
        request(fields=f"{FIELDS}\r\nX-Odd: 1"),
    ],
)
def test_everything_else_is_left_to_the_ordinary_parser(data: bytes) -> None:
    """Also when the same fields were seen in a plain request before."""
    heads = KeyHeads()
    assert isinstance(heads.read(request()), KeyHead)
    assert heads.read(data) is None
    assert heads.read(data) is None
