"""Classes that hold state say in their repr what it is, and never print a secret."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abr.buffering import room_at_s
from abr.link import SharedLink
from abr.media import constant_presentation
from abr.registry import load
from abr.trace import Trace
from origin.paths import parse_target
from origin.tokens.pathtoken import PathTokens, TokenIssuer
from origin.tokens.permission import Asked
from origin.tokens.verifier import TokenVerifier
from player.batch.linking import Linker
from player.batch.tables import Totals
from player.drivers.virtual import PresentationOrigin, VirtualDriver
from player.playback.actions import Fetch, KeyUse, Resource, Want
from player.playback.decrypting import Arrival
from player.playback.requests import Request
from player.playback.session import PlaybackSession
from player.playback.source import Source
from player.playback.tokenrenewal import TokenRenewal
from player.shaping.alarms import Alarm
from transcode.encryption import ContentKey

ROOT = Path(__file__).parents[2]
PACKAGES = ("abr", "transcode", "origin", "edge", "player", "bench")
BASES_WITH_REPR = {
    "AbstractAccessLogger",
    "Command",
    "Enum",
    "Exception",
    "Group",
    "NamedTuple",
    "Protocol",
    "RequestHandler",
    "StageEnv",
    "StageVectorEnv",
    "Structure",
    "TypedDict",
}
MAY_HOLD_TOKENS = frozenset({"audio_url", "final_url", "secret", "token", "url"})
"""Names of fields whose value no repr may show."""
PUBLIC_FIELDS = frozenset({"bench/stack/stack.py Listener.url"})
"""Of those, the base URLs of our own servers, which hold no token."""


def classes(package: str) -> Iterator[tuple[str, ast.ClassDef]]:
    """Every class of a package, with where it stands."""
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield f"{path.relative_to(ROOT)} {node.name}", node


def name_of(node: ast.expr) -> str:
    """The last name in ``node``."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_class_with_state_has_a_repr(package: str) -> None:
    """Dataclasses and named tuples have one; errors show their message."""
    silent = [
        where
        for where, node in classes(package)
        if not any(name_of(each) == "dataclass" for each in node.decorator_list)
        and not any(
            name_of(base) in BASES_WITH_REPR or name_of(base).endswith("Error")
            for base in node.bases
        )
        and not any(getattr(part, "name", "") == "__repr__" for part in node.body)
    ]
    assert silent == []


@pytest.mark.parametrize("package", PACKAGES)
def test_fields_that_may_hold_a_token_are_not_shown(package: str) -> None:
    """Generated reprs end up in logs and tracebacks like written ones."""
    shown = [
        f"{where}.{part.target.id}"
        for where, node in classes(package)
        if any(name_of(each) == "dataclass" for each in node.decorator_list)
        for part in node.body
        if isinstance(part, ast.AnnAssign)
        and isinstance(part.target, ast.Name)
        and part.target.id in MAY_HOLD_TOKENS
        and "repr=False" not in ast.unparse(part)
    ]
    assert set(shown) <= PUBLIC_FIELDS


def test_no_repr_shows_a_key_or_a_token() -> None:
    """They end up in logs and tracebacks."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    issuer = TokenIssuer(private)
    verifier = TokenVerifier(PathTokens(issuer.jwks()))
    token = issuer.issue("film", now_s=1e9, session_id="s")
    verifier.verify(token, asked=Asked(title="film"), now_s=1e9)
    key = ContentKey("0" * 32, b"sixteen  secrets")
    shown = f"{issuer!r} {verifier!r} {key!r}"
    assert issuer.kid in shown
    for secret in (token, token.split(".")[2], bytes(range(32)).hex(), "secrets"):
        assert secret not in shown


def test_no_repr_of_a_playback_shows_a_token_or_a_key() -> None:
    """Requests know URLs with a token in them, and arrivals may be keys."""
    url = "http://origin.example/t/aaaa.bbbb.cccc/film/master.m3u8"
    session = PlaybackSession(url, load("fixed"))
    (fetch,) = (action for action in session.start(0.0) if isinstance(action, Fetch))
    key = Want(kind="key", url=url, key=KeyUse(url, bytes(16)), init=Resource("init", url))
    shown = repr(
        [
            session,
            fetch,
            key,
            Source(url),
            TokenRenewal(url),
            Arrival(1, key, b"sixteen  secrets"),
            Request(1, key, 1, 0.0, final_url=url),
            parse_target("/t/aaaa.bbbb.cccc/film/master.m3u8"),
        ]
    )
    assert "multivariant" in shown
    assert "bbbb" not in shown
    assert "secrets" not in shown


def test_reprs_say_where_things_stand() -> None:
    """The state that a debugger, a log or a failed assertion is read for."""
    presentation = constant_presentation([1e6], segments=2, segment_s=4.0, title="bars")
    assert repr(Source(presentation)) == "<Source bars, 1 rungs known>"
    driver = VirtualDriver(
        PlaybackSession(presentation, load("fixed")),
        PresentationOrigin(presentation),
        SharedLink(Trace.constant(2e6)),
    )
    assert "0.000 s" in repr(driver)
    driver.run()
    assert "ended" in repr(driver)
    alarm = Alarm(lambda: None)
    assert repr(alarm) == "<Alarm set>"
    alarm.cancel()
    assert repr(alarm) == "<Alarm over>"
    linker = Linker({"choose": constant_presentation}, lambda made: made)
    linker.linked(room_at_s)
    assert repr(linker) == "<Linker with choose: 0 copies>"
    totals = Totals()
    totals.stall_s = 1.5
    assert repr(totals) == "Totals(stall_s=1.5)"
