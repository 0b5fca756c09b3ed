"""``abr inspect`` over HTTP, and against playlists that mean harm."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from abr.cli import main
from abr.errors import UpstreamTimeoutError
from transcode.inspection.judge import judge
from transcode.run import httpsource, inspecting
from transcode.run.inspecting import load_package

Answer = Callable[[BaseHTTPRequestHandler], None]

MULTIVARIANT = """#EXTM3U
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=1000,AVERAGE-BANDWIDTH=1000,CODECS="avc1.64001f",RESOLUTION=64x36
{uri}
"""
MEDIA = """#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-PLAYLIST-TYPE:VOD
#EXTINF:2,
{uri}
#EXT-X-ENDLIST
"""


@contextmanager
def served(files: dict[str, bytes | Answer]) -> Iterator[str]:
    """The address of a server with ``files``; a function answers as it likes."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = files.get(self.path.partition("?")[0])
            if body is None:
                self.send_error(404)
            elif callable(body):
                body(self)
            else:
                send(self, body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5.0)


def send(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    """Answer with a body, or the range of it that was asked for."""
    asked = handler.headers.get("Range")
    if asked:
        first, _, last = asked.removeprefix("bytes=").partition("-")
        body = body[int(first) : int(last) + 1]
    handler.send_response(206 if asked else 200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def redirect(to: str) -> Answer:
    """Answer that it is elsewhere."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def single_file(folder: Path, *, name: str) -> dict[str, bytes | Answer]:
    """A package of byte ranges in one transport stream, as ffmpeg writes it."""
    from tests.integration.test_inspect import ffmpeg

    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=96x54:r=25:d=2", "-f", "lavfi", "-i", "sine=d=2"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "aac", "-hls_time", "1"),
        *("-hls_playlist_type", "vod", "-hls_flags", "single_file+independent_segments"),
        *("-master_pl_name", "master.m3u8", "-f", "hls", str(folder / "film.m3u8")),
    )
    return {f"{name}/{path.name}": path.read_bytes() for path in folder.iterdir()}


def test_a_url_is_judged_as_the_folder_is_and_its_token_is_never_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = single_file(tmp_path, name="/t/sesame/film")
    for path in tmp_path.glob("film.m3u8"):  # a query on every address, as signed URLs have
        text = path.read_text().replace("film.ts", "film.ts?sig=sesame")
        files[f"/t/sesame/film/{path.name}"] = text.encode()
    assert main(["inspect", str(tmp_path)]) == 0
    here = capsys.readouterr().out
    with served(files) as origin:
        assert main(["inspect", f"{origin}/t/sesame/film/master.m3u8?sig=sesame"]) == 0
        there = capsys.readouterr()
        assert main(["inspect", f"{origin}/t/sesame/film/none.m3u8?sig=sesame"]) == 2
        refusal = capsys.readouterr().err
    # The server of this test states no types and compresses nothing; all else is equal.
    assert "playlists-compressed (Apple 10.1)" in there.out
    assert "Content-Type absent" in there.out
    told = {line for line in there.out.splitlines() if not line.startswith((" ", "warning"))}
    assert told - set(here.splitlines()) == {there.out.splitlines()[-1]}
    assert "no violations" in here
    assert "no violations" in there.out
    assert "status 404" in refusal
    assert "sesame" not in there.out + there.err + refusal


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("file:///etc/passwd", "scheme file"),
        ("../../../etc/hostname", "status 404"),
        ("http://127.0.0.1:1/x.m3u8", "cannot connect"),
        ("loop.m3u8", "over 5 redirects"),
        ("ftp.m3u8", "neither http nor https"),
        ("master.m3u8", "lists itself"),
        ("other.m3u8", "a multivariant playlist; expected a media playlist"),
        ("binary.m3u8", "the mark of a playlist"),
        ("huge.m3u8", "over 16,777,216 bytes"),
        ("http://[::1", "cannot be resolved"),
    ],
)
def test_what_a_playlist_must_not_make_us_read_is_refused(uri: str, why: str) -> None:
    def huge(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(40):
                handler.wfile.write(bytes(2**20))
        except OSError:
            pass  # the client has seen enough

    files: dict[str, bytes | Answer] = {
        "/a/master.m3u8": MULTIVARIANT.format(uri=uri).encode(),
        "/a/other.m3u8": MULTIVARIANT.format(uri="x.m3u8").encode(),
        "/a/loop.m3u8": redirect("loop.m3u8"),
        "/a/ftp.m3u8": redirect("ftp://127.0.0.1/x"),
        "/a/binary.m3u8": bytes(range(256)),
        "/a/huge.m3u8": huge,
    }
    with served(files) as origin:
        facts = asyncio.run(load_package(f"{origin}/a/master.m3u8"))
    (unusable,) = facts.unusable
    assert why in unusable.why
    assert "playlist-readable" in {each.rule for each in judge(facts, "media").findings}


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("../secret.ts", "leads out of the package's folder"),
        ("/etc/hostname", "leads out of the package's folder"),
        ("link.ts", "leads out of the package's folder"),
        ("file:///etc/hostname", "not followed from a package on disk"),
        ("http://127.0.0.1:1/x.ts", "not followed from a package on disk"),
        ("..", "leads out of the package's folder"),
        (".", "no such file"),
        ("a\0b.ts", "zero byte"),
        ("x" * 5000, "cannot be resolved"),
        ("http://[::1", "cannot be resolved"),
    ],
)
def test_nothing_outside_the_folder_is_read(uri: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "secret.ts").write_bytes(b"\x47" * 188)
    folder = tmp_path / "film"
    folder.mkdir()
    (folder / "link.ts").symlink_to(tmp_path / "secret.ts")
    (folder / "film.m3u8").write_text(MEDIA.format(uri=uri))
    facts = asyncio.run(load_package(str(folder)))
    (segment,) = next(facts.media()).segments
    assert segment.is_missing
    assert why in segment.problem


def test_reading_a_url_ends_at_its_time_limit() -> None:
    stop = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not stop.wait(0.05):
            handler.wfile.write(b"#")

    with (
        served({"/s3cr3t/film.m3u8": drip}) as origin,
        pytest.raises(UpstreamTimeoutError, match=r"film\.m3u8: not read within 0\.3 s") as caught,
    ):
        asyncio.run(load_package(f"{origin}/s3cr3t/film.m3u8", limit_s=0.3))
    stop.set()
    assert "s3cr3t" not in str(caught.value)


def test_a_segment_that_never_ends_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpsource, "REQUEST_LIMIT_S", 0.3)
    stop = threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        stop.wait(5.0)

    media = MEDIA.format(uri="film.ts").encode()
    with served({"/film.m3u8": media, "/film.ts": hang}) as origin:
        facts = asyncio.run(load_package(f"{origin}/film.m3u8"))
        stop.set()
    (segment,) = next(facts.media()).segments
    assert segment.problem == "no answer within 0.3 s"


def test_a_server_that_ignores_ranges_is_told_so() -> None:
    def whole(handler: BaseHTTPRequestHandler) -> None:
        del handler.headers["Range"]
        send(handler, bytes(1000))

    media = MEDIA.format(uri="film.ts").replace("#EXTINF", "#EXT-X-BYTERANGE:10@5\n#EXTINF")
    with served({"/film.m3u8": media.encode(), "/film.ts": whole}) as origin:
        facts = asyncio.run(load_package(f"{origin}/film.m3u8"))
    assert next(facts.media()).segments[0].problem == "the server ignored a byte range"


def test_types_compression_and_redirects_are_judged() -> None:
    def typed(content_type: str, body: bytes) -> Answer:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Type", content_type)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        return answer

    text = MEDIA.format(uri="old.ts").encode()
    files: dict[str, bytes | Answer] = {
        "/right": typed("application/vnd.apple.mpegurl; charset=utf-8", text),
        "/wrong": typed("text/plain", text),
        "/old.ts": redirect("/new.ts"),
        "/new.ts": typed("video/mp2t", b"\x47" + bytes(187)),
    }
    with served(files) as origin:
        rules = [
            {each.rule for each in judge(asyncio.run(load_package(url)), "media").findings}
            for url in (f"{origin}/right", f"{origin}/wrong")
        ]
    assert {"playlists-compressed", "segments-direct"} <= rules[0]
    assert not {"playlist-known", "content-types"} & rules[0]
    assert {"playlist-known", "content-types"} <= rules[1]


def test_playlists_without_measure_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    many = MULTIVARIANT.format(uri="v.m3u8") * 2
    (tmp_path / "master.m3u8").write_text(many)
    monkeypatch.setattr(inspecting, "MOST_PLAYLISTS", 1)
    assert main(["inspect", str(tmp_path)]) == 2
    assert "2 playlists; expected at most 1" in capsys.readouterr().err


def compressed(body: bytes, *, keep: float = 1.0) -> Answer:
    """Answer with gzip, or with the first part of it as if that were all."""
    data = gzip.compress(body)
    data = data[: round(keep * len(data))]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def test_a_playlist_whose_compression_breaks_off_is_not_taken_for_a_shorter_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    entries = "".join(f"#EXTINF:2,\n{n * 7919 % 1000}.ts\n" for n in range(300))
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n{entries}#EXT-X-ENDLIST\n".encode()
    files: dict[str, bytes | Answer] = {
        "/whole": compressed(text),
        "/cut": compressed(text, keep=0.7),
    }
    with served(files) as origin:
        assert main(["inspect", f"{origin}/cut"]) == 2
        assert "breaks off" in capsys.readouterr().err
        assert main(["inspect", "--quick", f"{origin}/whole"]) in (0, 1)


def test_variables_are_taken_from_the_url_and_from_the_playlist_above() -> None:
    files: dict[str, bytes | Answer] = {
        "/all.m3u8": (
            b'#EXTM3U\n#EXT-X-VERSION:11\n#EXT-X-DEFINE:QUERYPARAM="dir"\n'
            b'#EXT-X-DEFINE:NAME="end",VALUE="ts"\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n{$dir}.m3u8\n'
        ),
        "/high.m3u8": (
            b'#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-DEFINE:IMPORT="end"\n#EXT-X-TARGETDURATION:2\n'
            b"#EXTINF:2,\n0.{$end}\n#EXT-X-ENDLIST\n"
        ),
    }
    with served(files) as origin:
        facts = asyncio.run(load_package(f"{origin}/all.m3u8?dir=high", depth="playlists"))
    (media,) = facts.media()
    assert [segment.uri for segment in media.listed.segments] == ["0.ts"]
    assert not facts.unusable


def test_no_finding_shows_the_query_of_a_signed_address(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = MULTIVARIANT.replace(",RESOLUTION=64x36", "").format(uri="low.m3u8?sig=sesame")
    files: dict[str, bytes | Answer] = {
        "/t/sesame/all.m3u8": (text + text.partition("SEGMENTS\n")[2]).encode(),
        "/t/sesame/low.m3u8": MEDIA.format(uri="0.ts?sig=sesame").encode(),
    }
    with served(files) as origin:
        assert main(["inspect", f"{origin}/t/sesame/all.m3u8?sig=sesame"]) == 1
    told = capsys.readouterr().out
    assert "(low.m3u8)" in told
    assert "sesame" not in told


def test_playlists_that_lead_upwards_are_followed_below_the_root_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "film" / "lists").mkdir(parents=True)
    start = tmp_path / "film" / "lists" / "all.m3u8"
    start.write_text(MULTIVARIANT.format(uri="../high.m3u8"))
    (tmp_path / "film" / "high.m3u8").write_text(MEDIA.format(uri="../../outside.ts"))
    (tmp_path / "outside.ts").write_bytes(b"G")
    assert main(["inspect", "--quick", str(start)]) == 1
    assert "not followed without --root" in capsys.readouterr().out
    assert main(["inspect", "--quick", "--root", str(tmp_path / "film"), str(start)]) == 1
    told = capsys.readouterr().out
    assert "segment 0 (outside.ts): leads out of the package's folder" in told
    assert "../high.m3u8: " not in told
    assert main(["inspect", "--quick", "--root", str(tmp_path / "film" / "x"), str(start)]) == 2
    assert "expected a --root that holds it" in capsys.readouterr().err
