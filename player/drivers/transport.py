"""HTTP for the live driver: one client, with failures in the player's words.

Limits on time are the session's, but for a connection's; limits on size are here. A URL goes out
as it is written, since signed ones break when they are put in another form. Redirects are
followed here, so that what was given for one server is not told to another.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import quote, urljoin, urlsplit

import aiohttp
from yarl import URL

from player.drivers.coding import CodingError, unpacker
from player.playback.actions import Want
from player.playback.checking import Body, check_body
from player.playback.decrypting import licence_request
from player.playback.retry import Failure

CONNECT_LIMIT_S = 10.0
MOST_BODY_BYTES = 256 * 2**20
"""A larger response is refused: no segment of any ladder is this big."""
MOST_TEXT_BYTES = 16 * 2**20
"""The same for what the session itself reads."""
READ_BYTES = 2**16
MOST_FIELD_BYTES = 2**18
"""Of a field of a head: as Chromium, whose limit is for all of the head (aiohttp's is 8 KiB)."""
MOST_REDIRECTS = 10

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TEXTS = frozenset({"multivariant", "media", "token", "licence", "steering"})
# RFC 3986, 2: what a URI may hold; anything else is escaped, and nothing twice.
_WRITTEN = "!#$%&'()*+,/:;=?@[]~"
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/(?:[0-9]{1,18}|\*)")


Annotate = Callable[[Want, str], tuple[str, Mapping[str, str]]]


class TransferError(Exception):
    """A request that failed; carries what to report."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class Router(Protocol):
    """Where connections go instead of to their servers; a shaping proxy is one."""

    async def route(self, host: str, port: int) -> tuple[str, int]:
        """Host and port that stand in for a server."""
        ...

    def leads_to(self, at: tuple[str, int]) -> bool:
        """Whether ``at`` is one of those that stand in for servers."""
        ...


class _RoutedConnector(aiohttp.TCPConnector):
    """Connects to what stands in for a server; names, cookies and TLS stay those of the server."""

    def __init__(self, router: Router, **options: Any) -> None:
        super().__init__(use_dns_cache=False, **options)
        self._router = router

    def __repr__(self) -> str:
        return f"<_RoutedConnector by {self._router!r}>"

    async def _resolve_host(  # aiohttp asks no resolver for numbers
        self, host: str, port: int, traces: Any = None
    ) -> list[Any]:
        at, instead = await self._router.route(host, port)
        found = {"hostname": host, "host": at, "port": instead, "family": 0, "proto": 0, "flags": 0}
        return [found]


class _Response(aiohttp.ClientResponse):
    """A response that knows whose connection it came over."""

    came_from: tuple[str, int] = ("", 0)

    def __repr__(self) -> str:
        return f"<_Response {self.status} from {self.came_from[0]}:{self.came_from[1]}>"

    async def start(self, connection: Any) -> Any:
        """Read the head; small responses give their connection back at once."""
        peer = connection.transport.get_extra_info("peername") or ("", 0)
        self.came_from = (str(peer[0]), int(peer[1]))
        return await super().start(connection)


class HttpTransport:
    """Fetches over HTTP, inside ``async with``."""

    def __init__(
        self,
        source: str,
        *,
        router: Router | None = None,
        connections: int = 6,
        headers: Mapping[str, str] | None = None,
        insecure: bool = False,
        annotate: Annotate | None = None,
    ) -> None:
        """Prepare to fetch.

        Args:
            source: URL of the playback.
            router: What stands in for every server; None: the servers themselves.
            connections: Most connections to one server.
            headers: Fields sent with each request to the server of ``source``; ``User-Agent``
                goes to all.
            insecure: Take certificates of HTTPS servers as they are.
            annotate: Says what is added to a request: its URL as it goes out, and fields.
                Where redirects lead only the fields go too, as from a browser.
        """
        self.outside_bytes = 0
        """Bytes of bodies that came past the router, where there is one."""
        self._origin = _origin_of(source)
        self._router = router
        self._connections = connections
        given = {name.title(): value for name, value in (headers or {}).items()}
        agent = given.pop("User-Agent", None)
        self._everywhere = {"Accept-Encoding": "identity"} | (
            {"User-Agent": agent} if agent else {}
        )
        self._given = given
        self._annotate = annotate
        self._tls: ssl.SSLContext | bool = not insecure

    def __repr__(self) -> str:
        return f"<HttpTransport to {urlsplit(self._origin).netloc}>"

    async def __aenter__(self) -> Self:
        """Open the client."""
        options: dict[str, Any] = {
            "limit": 0,
            "limit_per_host": self._connections,
            "keepalive_timeout": 600.0,
            "ssl": self._tls,
        }
        connector = (
            aiohttp.TCPConnector(**options)
            if self._router is None
            else _RoutedConnector(self._router, **options)
        )
        self._http = aiohttp.ClientSession(
            connector=connector,
            # Servers on this machine, which have no name, set cookies too.
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_LIMIT_S),
            headers=self._everywhere,
            auto_decompress=False,
            response_class=_Response,
            read_bufsize=READ_BYTES,
            max_field_size=MOST_FIELD_BYTES,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        await self._http.close()

    async def fetch(
        self,
        want: Want,
        url: str,
        *,
        on_response: Callable[[str | None], None],
        on_piece: Callable[[int], None],
    ) -> bytes:
        """Get ``want`` from ``url`` and return its body.

        Args:
            want: What it is; its byte range is asked for.
            url: Where it is now.
            on_response: Called when a good response begins, with its URL if redirects led there.
            on_piece: Called with the size of every piece of the body.

        Raises:
            TransferError: it failed.
        """
        try:
            if url.startswith("data:"):
                return _inline(want, url, on_response, on_piece)
            return await self._fetch(want, url, on_response, on_piece)
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            raise TransferError(_as_failure(exc, url)) from exc

    async def _fetch(
        self,
        want: Want,
        url: str,
        on_response: Callable[[str | None], None],
        on_piece: Callable[[int], None],
    ) -> bytes:
        at, added = (url, {}) if self._annotate is None else self._annotate(want, url)
        first = at
        for _ in range(MOST_REDIRECTS + 1):
            async with self._request(want, at, added) as response:
                if response.status in _REDIRECTS and (to := response.headers.get("Location")):
                    at = urljoin(at, to)
                    if urlsplit(at).scheme not in ("http", "https"):
                        raise TransferError(
                            Failure("content", message="a redirect to what is no HTTP URL")
                        )
                    continue
                _check(response, want)
                on_response(at if at != first else None)
                return await _body(response, want, self._counting(response, on_piece))
        raise TransferError(Failure("unusable", message=f"over {MOST_REDIRECTS} redirects"))

    def _counting(
        self, response: aiohttp.ClientResponse, on_piece: Callable[[int], None]
    ) -> Callable[[int], None]:
        """``on_piece``, with what came past the router counted."""
        came_from = response.came_from if isinstance(response, _Response) else ("", 0)
        if self._router is None or self._router.leads_to(came_from):
            return on_piece

        def count(size_bytes: int) -> None:
            self.outside_bytes += size_bytes
            on_piece(size_bytes)

        return count

    def _request(self, want: Want, url: str, added: Mapping[str, str]) -> Any:
        written = _as_written(url)
        headers = dict(self._given) if _origin_of(url) == self._origin else {}
        headers |= added
        method, data = "GET", None
        if want.kind == "licence":
            method, data = "POST", licence_request(want.kid)
            headers["Content-Type"] = "application/json"
        if want.byte_range is not None:
            start, length = want.byte_range
            headers["Range"] = f"bytes={start}-{start + length - 1}"
        return self._http.request(
            method, written, headers=headers, data=data, allow_redirects=False
        )


def _as_written(url: str) -> URL:
    """A URL that goes out character by character; what no URI may hold is escaped.

    Raises:
        TransferError: it is no URL of HTTP.
    """
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an end, a port that is none
        is_good = False
    if not is_good:
        raise TransferError(Failure("content", message="not a usable URL"))
    # Packagers of Windows write backslashes, which browsers take for slashes (URL Standard, 4.4).
    path, mark, query = url.partition("?")
    return URL(quote(path.replace("\\", "/") + mark + query, safe=_WRITTEN), encoded=True)


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"


def _inline(
    want: Want,
    url: str,
    on_response: Callable[[str | None], None],
    on_piece: Callable[[int], None],
) -> bytes:
    """What a ``data:`` URL holds (RFC 2397)."""
    from urllib.request import urlopen

    try:
        with urlopen(url) as file:  # noqa: S310  # a data: URL opens nothing
            body = bytes(file.read())
    except ValueError as exc:
        message = "a data: URL that cannot be read; expected RFC 2397"
        raise TransferError(Failure("content", message=message)) from exc
    if problem := check_body(want, Body(body)):
        raise TransferError(Failure("content", message=f"a data: URL of {problem}"))
    on_response(None)
    on_piece(len(body))
    return body


def _check(response: aiohttp.ClientResponse, want: Want) -> None:
    """Look at the head of a response."""
    # RFC 9110, 15.3: all of 2xx is a success, also one that a proxy made of another.
    if not 200 <= response.status < 300:
        reason = response.headers.get("Abr-Refusal", "")[:40]
        after_s = _retry_after_s(response.headers)
        raise TransferError(Failure("status", response.status, reason=reason, after_s=after_s))
    stated = response.headers.get("Content-Range", "").strip()
    match = _RANGE.fullmatch(stated)
    if want.byte_range is None:
        if response.status == 206 and match and not _is_all(match):
            raise TransferError(Failure("unusable", message=f"a part ({match[0]}); expected all"))
        return
    start, length = want.byte_range
    if response.status != 206:
        # RFC 9110, 14.2: a server may ignore Range and answer 200 with the whole file, which is
        # what was asked for if the range is all of it.
        if start == 0 and response.content_length in (length, None):
            return
        raise TransferError(Failure("unusable", message="the server ignored a byte range"))
    if match is None or (int(match[1]), int(match[2])) != (start, start + length - 1):
        asked = f"bytes {start}-{start + length - 1}"
        message = f"Content-Range: found {match[0] if match else 'none'}; expected {asked}"
        raise TransferError(Failure("unusable", message=message))


def _is_all(part: re.Match[str]) -> bool:
    """Whether a Content-Range names the whole of something, or does not say."""
    size = part[0].rpartition("/")[2]
    return int(part[1]) == 0 and size in ("*", str(int(part[2]) + 1))


async def _body(
    response: aiohttp.ClientResponse, want: Want, on_piece: Callable[[int], None]
) -> bytes:
    """The whole body, decoded and looked at."""
    unpack = unpacker(response.headers.getall("Content-Encoding", []))
    most = MOST_TEXT_BYTES if want.kind in _TEXTS else MOST_BODY_BYTES
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece if unpack is None else unpack.take(piece, most + 1 - len(body))
        if len(body) > most:
            raise TransferError(Failure("content", message=f"more than {most} bytes"))
        on_piece(len(piece))
    if unpack is not None and not unpack.is_at_end:
        raise TransferError(Failure("truncated", message="compressed data that break off"))
    headers = response.headers
    arrived = Body(
        bytes(body),
        headers.get("Content-Type", ""),
        # Without either, the end of the connection is the end of the body (RFC 9112, 6.3).
        is_whole="Content-Length" in headers or "Transfer-Encoding" in headers,
    )
    problem = check_body(want, arrived)
    if problem:
        raise TransferError(Failure("unusable", response.status, message=problem))
    return arrived.data


def _retry_after_s(head: Mapping[str, str]) -> float:
    """Seconds of a Retry-After field: as such, or a date by the server's own clock; 0 for none."""
    text = head.get("Retry-After", "").strip()
    if re.fullmatch("[0-9]{1,6}", text):
        return float(text)
    try:  # RFC 9110, 10.2.3 and 5.6.7
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(head.get("Date", ""))
    except (ValueError, TypeError):  # no date, or one with a zone and one without
        return 0.0
    return min(max(0.0, wait.total_seconds()), 1e6)


def _as_failure(exc: Exception, url: str) -> Failure:
    """A transport exception in our words; of the URL only host and port, it may hold a token."""
    where = urlsplit(url).netloc.rpartition("@")[2] if "//" in url else "the server"
    if isinstance(exc, aiohttp.ClientPayloadError):
        return Failure("truncated", message="the connection broke off in the body")
    if isinstance(exc, TimeoutError):
        return Failure("timeout", message=f"{where}: no connection within {CONNECT_LIMIT_S:g} s")
    if isinstance(exc, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        return Failure("connect", message=f"{where}: its certificate is not trusted (--insecure)")
    if isinstance(exc, aiohttp.ClientConnectorError):
        reason = exc.os_error.strerror or "refused"
        return Failure("connect", message=f"{where}: cannot connect: {reason}")
    if isinstance(exc, aiohttp.ClientResponseError):
        # Before the colon are the parser's own words, after it those of the server.
        reason = exc.message.partition(":")[0][:60]
        return Failure("connect", message=f"{where}: an answer that is no HTTP ({reason})")
    if isinstance(exc, CodingError):
        return Failure("unusable", message=str(exc))
    return Failure("connect", message=f"{where}: the connection failed ({type(exc).__name__})")
