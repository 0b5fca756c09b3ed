"""Requests that are simple enough for the short cut, and all the others."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser
from aiohttp.streams import EMPTY_PAYLOAD

from origin.framing import find_fault
from origin.simplehead import MAX_FIELDS_BYTES, SimpleHeads, simple_fields

SIMPLE = b"GET /t/x/film/v0/1.m4s HTTP/1.1\r\nHost: h:1\r\nUser-Agent: a b (c; d)\r\n\r\n"

NOT_SIMPLE = {
    "head": SIMPLE.replace(b"GET", b"HEAD"),
    "post": SIMPLE.replace(b"GET", b"POST"),
    "lower case": SIMPLE.replace(b"GET", b"get"),
    "1.0": SIMPLE.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "absolute": SIMPLE.replace(b"/t/x", b"http://h/t/x"),
    "fragment": SIMPLE.replace(b"1.m4s", b"1.m4s#x"),
    "space in target": SIMPLE.replace(b"1.m4s", b"1 .m4s"),
    "non-ASCII target": SIMPLE.replace(b"1.m4s", b"\xc3\xa9.m4s"),
    "two spaces": SIMPLE.replace(b" HTTP", b"  HTTP"),
    "part": SIMPLE[:-2],
    "more": SIMPLE + b"G",
    "two": SIMPLE + SIMPLE,
    "bare LF": SIMPLE.replace(b"\r\n", b"\n"),
    "bare CR": SIMPLE.replace(b"a b", b"a\rb"),
    "NUL": SIMPLE.replace(b"a b", b"a\0b"),
    "obs-fold": SIMPLE.replace(b"a b", b"a\r\n b"),
    "space before colon": SIMPLE.replace(b"User-Agent:", b"User-Agent :"),
    "no name": SIMPLE.replace(b"User-Agent:", b":"),
    "no Host": SIMPLE.replace(b"Host: h:1\r\n", b""),
    "two Hosts": SIMPLE.replace(b"Host: h:1\r\n", b"Host: h:1\r\nhOST: h:1\r\n"),
    "empty Host": SIMPLE.replace(b"h:1", b""),
    "odd Host": SIMPLE.replace(b"h:1", b"h/a"),
    "close": SIMPLE.replace(b"User-Agent: a b (c; d)", b"Connection: close"),
    "unknown field": SIMPLE.replace(b"User-Agent", b"X-Http-Method-Override"),
    "long fields": SIMPLE.replace(b"a b", b"a" * MAX_FIELDS_BYTES),
    "long target": SIMPLE.replace(b"1.m4s", b"1" * 5000),
    "many fields": SIMPLE.replace(b"User-Agent", b"DNT: 1\r\n" * 50 + b"User-Agent"),
    "two ranges fields": SIMPLE.replace(b"User-Agent: a b (c; d)", b"Range: bytes=0-1\r\nrange: x"),
    "nothing": b"",
} | {
    name: SIMPLE.replace(b"User-Agent", name.encode())
    for name in (
        "If-Match", "If-Unmodified-Since", "Cache-Control", "Pragma", "Authorization", "Cookie",
        "Upgrade", "Expect", "Content-Length", "TE", "Transfer-Encoding", "Trailer", "Via",
        "CDN-Loop", "Keep-Alive", "Proxy-Authorization",
    )
}  # fmt: skip


def test_a_simple_request_is_its_target_and_host() -> None:
    """Path, query and host are handed out as received."""
    head = SimpleHeads().read(SIMPLE.replace(b"1.m4s", b"1.m4s?CMCD=a%2Cb"))
    assert head is not None
    assert (head.target, head.host) == (b"/t/x/film/v0/1.m4s?CMCD=a%2Cb", b"h:1")


def test_what_is_asked_for_is_named() -> None:
    """Ranges and conditions, each once; blocks that hold them are not remembered."""
    heads = SimpleHeads()
    asking = b'Range: bytes=5-\r\nIf-Range: "x"\r\nUser-Agent'
    head = heads.read(SIMPLE.replace(b"User-Agent", asking))
    assert head is not None
    assert head.asking == (("range", "bytes=5-"), ("if-range", '"x"'))
    assert heads._hosts == {}


def test_fields_without_effect_are_simple() -> None:
    """What browsers and players send with every segment does not stop the short cut."""
    fields = (
        b"\r\nHost: [::1]:80\r\nConnection: keep-alive\r\nsec-ch-ua: \"x\"\r\nOrigin: http://a\r\n"
        b"Accept: */*\r\nAccept-Encoding:gzip, br \r\nCMCD-Session: sid=\"1\"\r\nDNT:\r\n\r\n"
    )  # fmt: skip
    assert simple_fields(fields) == (b"[::1]:80", ())


@pytest.mark.parametrize("data", NOT_SIMPLE.values(), ids=NOT_SIMPLE)
def test_every_doubt_is_left_to_the_parser(data: bytes) -> None:
    """Nothing is simple but one whole GET without consequences; also when it is seen again."""
    heads = SimpleHeads()
    assert heads.read(data) is None
    assert heads.read(data) is None


def test_blocks_of_fields_are_remembered_within_limits() -> None:
    """A client that never repeats itself does not fill the memory."""
    heads = SimpleHeads()
    for number in range(2000):
        assert heads.read(SIMPLE.replace(b"a b", str(number).encode())) is not None
    assert len(heads._hosts) <= 512


async def test_what_is_simple_means_the_same_to_the_parser() -> None:
    """Mutated heads that pass are, to aiohttp, one bodiless GET with that target and host."""
    rng = np.random.default_rng(11)
    alphabet = b'\r\n\r\n :,;=/?#%\0\x7f\x80\t"ahHGT1.'
    heads, passed = SimpleHeads(), 0
    for _ in range(20_000):
        data = bytearray(SIMPLE)
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(len(data)))
            piece = bytes(alphabet[k] for k in rng.integers(len(alphabet), size=rng.integers(3)))
            data[at : at + int(rng.integers(3))] = piece
        head = heads.read(bytes(data))
        if head is None:
            continue
        passed += 1
        connection = BaseProtocol(asyncio.get_running_loop())
        parser = HttpRequestParser(connection, asyncio.get_running_loop(), 2**16)
        messages, upgraded, tail = parser.feed_data(bytes(data))
        assert len(messages) == 1, data
        assert not upgraded, data
        assert not tail, data
        message, payload = messages[0]
        assert payload is EMPTY_PAYLOAD, data
        assert (message.method, message.path.encode()) == ("GET", head.target), data
        assert message.headers.getall("Host") == [head.host.decode()], data
        assert not message.should_close, data
        assert find_fault(message.raw_headers, http_1_1=True) is None, data
    assert passed > 2000
