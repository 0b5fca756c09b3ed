"""No secret of any service in a log, and logs without them replay as they were."""

from __future__ import annotations

import base64
import json
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from abr.log import SessionLog
from abr.redaction import Redactor
from player import PlayerConfig, replay
from player.cli.options import shown_arguments
from player.drivers.live import LiveDriver
from player.drivers.replay import differences
from player.drivers.transport import TransferError
from player.playback.actions import Want
from player.playback.retry import Failure
from player.playback.session import PlaybackSession
from tests.fakes.jumpingloop import run_jumping
from tests.fakes.titles import fixed
from transcode.encryption import encrypt, sequence_iv
from transcode.playlist.redaction import redact_playlist

MEDIA = (b"\x47\x40\x00\x10" + b"\xff" * 184) * 3
KEY = bytes(range(16))
HELD = base64.b64encode(KEY).decode()
HEAD = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n"
END = "#EXT-X-ENDLIST\n"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ2aWV3ZXItNDIifQ.c2lnbmF0dXJl"


@dataclass
class Foreign:
    """Somebody's server: playlists by URL without query, media for all else."""

    url: str
    playlists: Mapping[str, str]
    secrets: tuple[str, ...]
    moved: Mapping[str, str] = field(default_factory=dict)
    """Where playlists are redirected to."""
    key: bytes | None = None
    asked: list[str] = field(default_factory=list)

    async def fetch(
        self,
        want: Want,
        url: str,
        *,
        on_response: Callable[[str | None], None],
        on_piece: Callable[[int], None],
    ) -> bytes:
        """As a server answers."""
        self.asked.append(url)
        name = url.partition("?")[0]
        on_response(self.moved.get(name))
        if url.startswith("data:"):
            return KEY
        if want.kind in ("multivariant", "media"):
            if name not in self.playlists:
                raise TransferError(Failure("status", 404, message=f"GET {url}: no such thing"))
            body = self.playlists[name].encode()
        elif self.key is not None:
            body = encrypt(MEDIA, self.key, sequence_iv(want.segment))
        else:
            body = MEDIA
        on_piece(len(body))
        return body


def media(*lines: str) -> str:
    return HEAD + "".join(f"{line}\n" for line in lines) + END


def played(server: Foreign) -> SessionLog:
    session = PlaybackSession(server.url, fixed(0), PlayerConfig(attempts=1, patience_s=0.0))
    return run_jumping(LiveDriver(session, server).run())


H = "https://cdn.example/"
CASES = {
    "a signature on every URL": Foreign(
        f"{H}show/a.m3u8?Policy=eyJ0&Signature=s3cr3tSig~x__&Key-Pair-Id=APKAxyz1",
        {
            f"{H}show/a.m3u8": media(
                *("#EXTINF:4,", "s0.ts?Signature=onlyForS0&n=0"),
                *("#EXTINF:4,", f"{H}show/s1.ts?Signature=onlyForS1"),
            )
        },
        ("s3cr3tSig", "APKAxyz1", "onlyForS0", "onlyForS1"),
    ),
    "one name, told apart by queries": Foreign(
        f"{H}get.php?id=9911&pin=4711",
        {
            f"{H}get.php": media(
                '#EXT-X-MAP:URI="get.php?part=init9"',
                *("#EXTINF:4,", "get.php?part=p0000"),
                *("#EXTINF:4,", "get.php?part=p0001"),
            )
        },
        ("9911", "4711", "init9", "p0000", "p0001"),
    ),
    "user and password": Foreign(
        "https://viewer:hunter2@cdn.example/a/b.m3u8",
        {
            "https://viewer:hunter2@cdn.example/a/b.m3u8": media(
                *("#EXTINF:4,", "s0.ts"),
                *("#EXTINF:4,", "https://other:pa55@cdn.example/a/s1.ts"),
            )
        },
        ("viewer", "hunter2", "pa55"),
    ),
    "a query with slashes": Foreign(
        f"{H}x/film/a.m3u8?hdnts=exp=170~acl=/x/*~hmac=abcdef01/2345",
        {f"{H}x/film/a.m3u8": media("#EXTINF:4,", "s0.ts#frag-secret1")},
        ("hmac", "abcdef01", "2345", "frag-secret1"),
    ),
    "variables from the query": Foreign(
        f"{H}a.m3u8?tok=ab%20cdef&n=7",
        {
            f"{H}a.m3u8": (
                '#EXTM3U\n#EXT-X-DEFINE:QUERYPARAM="tok"\n#EXT-X-DEFINE:QUERYPARAM="n"\n'
                "#EXT-X-STREAM-INF:BANDWIDTH=1000000\nv{$n}/{$tok}/p.m3u8?t={$tok}\n"
            ),
            f"{H}v7/ab cdef/p.m3u8": media(
                '#EXT-X-DEFINE:IMPORT="tok"',
                *("#EXTINF:4,", "s7x{$tok}.ts?a={$tok}b{$tok}"),
            ),
        },
        ("cdef",),
    ),
    "variables that are defined": Foreign(
        f"{H}a.m3u8",
        {
            f"{H}a.m3u8": media(
                '#EXT-X-DEFINE:NAME="k",VALUE="geheim"',
                '#EXT-X-DEFINE:NAME="q",VALUE="a=verschwiegen&b=1"',
                '#EXT-X-DEFINE:NAME="base",VALUE="https://cdn2.example/x"',
                *("#EXTINF:4,", "{$k}/s0.ts?{$q}"),
                *("#EXTINF:4,", "s{$k}1.ts"),
                *("#EXTINF:4,", "{$base}/s2.ts?k=1{$k}"),
            )
        },
        ("geheim", "verschwiegen"),
    ),
    "a key within the playlist": Foreign(
        f"{H}a.m3u8",
        {
            f"{H}a.m3u8": media(
                f'#EXT-X-KEY:METHOD=AES-128,URI="data:text/plain;base64,{HELD}"',
                *("#EXTINF:4,", "s0.ts"),
                *("#EXTINF:4,", "s1.ts"),
            )
        },
        (HELD, HELD[:12]),
        key=KEY,
    ),
    "tokens in the path": Foreign(
        f"{H}{JWT}/s/kQ3vZ8sWm1Xc9RtB7yLp2A/1893456000/film/a.m3u8",
        {
            f"{H}{JWT}/s/kQ3vZ8sWm1Xc9RtB7yLp2A/1893456000/film/a.m3u8": media(
                *("#EXTINF:4,", "/hdntl=exp=1893456000~hmac=0a1b2c/film/s0.ts"),
                *("#EXTINF:4,", "s1.ts;URISigningPackage=short1"),
                *("#EXTINF:4,", f"../9f86d081884c7d659a2feaa0c55ad015a3bf4f1b/{JWT}.ts"),
            )
        },
        ("kQ3vZ8sWm1", "0a1b2c", "short1", "9f86d081884c", *JWT.split(".")),
    ),
    "signatures and credentials between other things": Foreign(
        f"{H}live/viewer7/passw0rd/1234.m3u8",
        {
            f"{H}live/viewer7/passw0rd/1234.m3u8": media(
                *("#EXTINF:4,", "/s/kQ3vZ8sWm1Xc9RtB7yLp2A,1893456000/film/s0.ts"),
                *("#EXTINF:4,", "/token:abcd12/(S(lit3py55t21z5v55vlm25s55))/s1.ts"),
                *("#EXTINF:4,", "1234_2.ts"),
                *("#EXTINF:4,", "/hls/viewer7/passw0rd/s3.ts"),
            )
        },
        ("viewer7", "passw0rd", "kQ3vZ8sWm1", "abcd12", "lit3py55t21z5v55vlm25s55"),
    ),
    "a redirect to a signed URL": Foreign(
        f"{H}a.m3u8",
        {f"{H}a.m3u8": media("#EXTINF:4,", "s0.ts?k=fromRedirect")},
        ("movedSecret", "fromRedirect"),
        moved={f"{H}a.m3u8": "https://edge7.example/b/a.m3u8?sig=movedSecret"},
    ),
    "a playlist that is refused": Foreign(
        f"{H}a.m3u8?k=abcdefgh",
        {f"{H}a.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:4\ns0.ts?k=verysecret9\n"},
        ("abcdefgh", "verysecret9"),
    ),
    "a message of the transport": Foreign(f"{H}a.m3u8?k=abcdefgh", {}, ("abcdefgh",)),
    "names that look like what stands for secrets": Foreign(
        f"{H}(2)/a.m3u8?k=(1)",
        {f"{H}(2)/a.m3u8": media("#EXTINF:4,", "(1).ts?k=abcdefgh", "#EXTINF:4,", "s(9)1.ts")},
        ("abcdefgh",),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_no_secret_is_logged_and_the_log_replays_identically(name: str) -> None:
    """Whatever kind of secret, wherever it stands; and different things stay different."""
    server = CASES[name]
    log = played(server)
    text = log.dumps()
    assert [secret for secret in server.secrets if secret in text] == []
    refused = name in ("a playlist that is refused", "a message of the transport")
    assert log.records[-1]["why"].startswith("error" if refused else "complete")
    again = replay(SessionLog.loads(text), algorithm=fixed(0))
    assert differences(log, again) == []
    fetched = [(r["uri"], str(r.get("byte_range"))) for r in log.of("fetch")]
    assert len(set(fetched)) == len(set(server.asked))


def test_what_is_no_secret_is_kept_as_it_is() -> None:
    """A log tells what was played, from where, and under which names."""
    server = Foreign(
        f"{H}bbb/BigBuckBunny_1080p_H264_HighProfile/master-v1.2.m3u8",
        {
            f"{H}bbb/BigBuckBunny_1080p_H264_HighProfile/master-v1.2.m3u8": media(
                *("#EXTINF:4,a title", "segment_1080p_00001_audio_eng.ts"),
                *("#EXTINF:4,", "https://cdn2.example/2024-01-15/v=3/seg-0002.m4s"),
            )
        },
        (),
    )
    log = played(server)
    assert log.provenance["source"] == server.url
    assert log.provenance["title"] == "BigBuckBunny_1080p_H264_HighProfile"
    (finished,) = (r for r in log.of("finished") if "text" in r)
    assert finished["text"] == server.playlists[server.url]
    assert [r["uri"] for r in log.of("fetch")][1:] == [
        "segment_1080p_00001_audio_eng.ts",
        "https://cdn2.example/2024-01-15/v=3/seg-0002.m4s",
    ]


COMMANDS = {
    ("play", "http://u:pw@h.test/a.m3u8?token=abc", "-H", "X-Key: abc"): (
        "play",
        "http://-@h.test/a.m3u8?-",
        "-H",
        "X-Key: -",
    ),
    ("-HAuthorization: Bearer abc", "--header=Cookie:abc", "--header", "abc"): (
        "-HAuthorization: -",
        "--header=Cookie: -",
        "--header",
        "-",
    ),
    ("play", "http://h.test/live/viewer/passw0rd/12.m3u8"): (
        "play",
        "http://h.test/live/-/-/12.m3u8",
    ),
    ("--trace", "profile:sitespeed-3g", "--param", "rung=1", "/tmp/a b.jsonl"): (
        "--trace",
        "profile:sitespeed-3g",
        "--param",
        "rung=1",
        "/tmp/a b.jsonl",
    ),
    (f"--x=https://h.test/{JWT}/a.m3u8", "data:text/plain;base64,YWJj"): (
        "--x=https://h.test/-.-.-/a.m3u8",
        "data:text/plain;base64,-",
    ),
}


@pytest.mark.parametrize("given", COMMANDS)
def test_a_command_line_is_logged_without_its_secrets(given: tuple[str, ...]) -> None:
    assert tuple(shown_arguments(given)) == COMMANDS[given]


def test_a_redacted_playlist_reads_as_the_same() -> None:
    """Figures and lines stay; only names change, and a second time nothing does."""
    for server in CASES.values():
        for original in server.playlists.values():
            names = Redactor()
            names.url(server.url)
            shown = redact_playlist(original, names)
            assert [_figures(line) for line in shown.splitlines()] == [
                _figures(line) for line in original.splitlines()
            ]
            again = Redactor()
            again.url(Redactor().url(server.url))
            assert redact_playlist(shown, again) == shown


def _figures(line: str) -> str:
    """A line without its URI or quoted strings."""
    return re.sub('"[^"]*"', '""', line) if line.startswith("#") else ""


@pytest.mark.parametrize("length", [22, 32, 43])
@pytest.mark.parametrize("alphabet", ["base64url", "hex"])
def test_what_is_drawn_by_chance_is_seen_as_that(alphabet: str, length: int) -> None:
    """Nearly all signatures of usual lengths are, and hardly any name is."""
    letters = string.digits + "abcdef"
    if alphabet == "base64url":
        letters = string.ascii_letters + string.digits + "-_"
    rng = np.random.default_rng(length)
    drawn = ["".join(rng.choice(list(letters), length)) for _ in range(400)]
    found = sum(Redactor().url(f"/{each}/a.ts") != f"/{each}/a.ts" for each in drawn)
    assert found >= (0.9 if length < 32 else 0.95) * len(drawn)


def test_a_steering_manifest_keeps_its_figures_and_loses_its_parameters() -> None:
    manifest = {
        "VERSION": 1,
        "TTL": 300,
        "RELOAD-URI": "steer?session=geheim1",
        "PATHWAY-PRIORITY": ["a", "b"],
        "PATHWAY-CLONES": [
            {
                "BASE-ID": "a",
                "ID": "b",
                "URI-REPLACEMENT": {"HOST": "b.example", "PARAMS": {"tok": "geheim2"}},
            }
        ],
    }
    shown = json.loads(redact_playlist(json.dumps(manifest), Redactor()))
    replaced = manifest["PATHWAY-CLONES"][0]["URI-REPLACEMENT"]  # type: ignore[index]
    assert shown["RELOAD-URI"] == "steer?session=(1)"
    assert shown["PATHWAY-CLONES"][0]["URI-REPLACEMENT"] == {
        "HOST": replaced["HOST"],
        "PARAMS": {"tok": "(2)"},
    }
    assert {k: v for k, v in shown.items() if k[0] in "VTP"} | {"PATHWAY-CLONES": 0} == {
        k: v for k, v in manifest.items() if k[0] in "VTP"
    } | {"PATHWAY-CLONES": 0}
    assert redact_playlist("{" * 5000, Redactor()) == "{" * 5000


def test_ten_thousand_signatures_have_ten_thousand_numbers() -> None:
    """Each has a signature of its own, and each is told from the others."""
    long = "x" * 300
    signed = "".join(f"#EXTINF:4,\ns{n}.ts?Signature={long}{n}&Expires=1\n" for n in range(10_000))
    names = Redactor()
    assert "xxx" not in redact_playlist(signed, names)
    assert repr(names) == "<Redactor of 10001 secrets>"


def test_a_variable_too_short_for_a_secret_is_left_where_it_is() -> None:
    """Else one file had two names in a log: with the value in it, and before it was known."""
    names = Redactor()
    assert names.url("key") == "key"
    assert names.variable("y") == "y"
    assert names.url("key") == "key"
    assert names.variable("s3cret-value") == "(1)"
    assert names.url("a/s3cret-value/b") == "a/(1)/b"
