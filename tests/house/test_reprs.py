"""Classes that hold state say in their repr what it is, and never print a secret."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from origin.tokens import TokenIssuer, TokenVerifier
from transcode.encryption import ContentKey

ROOT = Path(__file__).parents[2]
PACKAGES = ("transcode", "origin", "edge")
BASES_WITH_REPR = {"NamedTuple", "Protocol", "AbstractAccessLogger", "RequestHandler"}


def classes(package: str) -> Iterator[tuple[str, ast.ClassDef]]:
    """Every class of a package, with where it stands."""
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


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


def test_no_repr_shows_a_key_or_a_token() -> None:
    """They end up in logs and tracebacks."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    issuer = TokenIssuer(private)
    verifier = TokenVerifier(issuer.jwks())
    token = issuer.issue("film", now_s=1e9, session_id="s")
    verifier.verify(token, title="film", now_s=1e9)
    key = ContentKey("0" * 32, b"sixteen  secrets")
    shown = f"{issuer!r} {verifier!r} {key!r}"
    assert issuer.kid in shown
    for secret in (token, token.split(".")[2], bytes(range(32)).hex(), "secrets"):
        assert secret not in shown
