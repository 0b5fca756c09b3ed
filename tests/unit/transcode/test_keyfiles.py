"""Keys encrypted at rest, and the text of their files."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import KeyStoreError
from transcode.keyfiles import (
    ExternalKek,
    Ring,
    decrypt_key,
    encrypt_key,
    parse_keys,
    parse_ring,
    print_keys,
    print_ring,
)

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
RING = Ring(current="new", keks={"old": OLD, "new": NEW})
SECRET = b"sixteen  secrets"
NONCE = bytes(12)
ENTRY = encrypt_key(SECRET, RING, title="film", kid="k1", nonce=NONCE, period=3, version=2)


def test_a_key_is_encrypted_with_aes_gcm_bound_to_its_place() -> None:
    """The same bytes as the library called by hand: 16 of key and 16 of tag."""
    assert ENTRY.ciphertext == AESGCM(NEW).encrypt(NONCE, SECRET, b"film|k1|2")
    assert len(ENTRY.ciphertext) == 32
    assert ENTRY.kek == "new"
    assert decrypt_key(ENTRY, RING, title="film", where="here") == SECRET


def test_keys_of_an_older_kek_still_decrypt() -> None:
    """Until a rotation has encrypted everything anew."""
    before = encrypt_key(
        SECRET, Ring(current="old", keks={"old": OLD}), title="film", kid="k1", nonce=NONCE
    )
    assert decrypt_key(before, RING, title="film", where="here") == SECRET


@pytest.mark.parametrize(
    "change",
    [
        {"kid": "k2"},
        {"version": 1},
        {"nonce": b"\1" * 12},
        {"ciphertext": b"x" * 32},
        {"kek": "old"},
    ],
)
def test_a_key_that_was_changed_or_moved_does_not_decrypt(change: dict[str, object]) -> None:
    fields = {name: getattr(ENTRY, name) for name in type(ENTRY).__dataclass_fields__}
    moved = type(ENTRY)(**(fields | change))
    with pytest.raises(KeyStoreError, match=r"here: key k\d does not decrypt"):
        decrypt_key(moved, RING, title="film", where="here")
    with pytest.raises(KeyStoreError, match="does not decrypt"):
        decrypt_key(ENTRY, RING, title="trailer", where="here")


def test_a_missing_kek_is_named_and_no_secret_is() -> None:
    with pytest.raises(KeyStoreError, match=r"under KEK new, which ring\.json lacks") as caught:
        decrypt_key(ENTRY, Ring(current="old", keks={"old": OLD}), title="film", where="here")
    assert caught.value.__cause__ is None
    assert OLD.hex() not in str(caught.value) + repr(RING)
    assert "0102" not in repr(RING).replace("\\x", "")


def test_files_read_back_as_they_were() -> None:
    """Keys stand by period, whatever order they were given in."""
    first = encrypt_key(SECRET, RING, title="film", kid="k0", nonce=NONCE)
    assert parse_keys(print_keys([ENTRY, first]), where="x") == (first, ENTRY)
    assert parse_ring(print_ring(RING), where="x") == RING
    assert json.loads(print_keys([ENTRY]))["keys"][0]["sealed"]  # the name on disk


def test_a_ring_with_a_program_reads_back_as_it_was() -> None:
    """Also where nothing else is in it; a program has a command and a time limit."""
    held = ExternalKek(command=("/usr/bin/hsm-wrap", "--slot", "2"), limit_s=5.0)
    both: dict[str, bytes | ExternalKek] = {"p": held, "old": OLD}
    for ring in (Ring(current="p", keks={"p": held}), Ring(current="p", keks=both)):
        assert parse_ring(print_ring(ring), where="x") == ring
    harm: list[dict[str, object]] = [
        {"command": []},
        {"command": "sh"},
        {"limit_s": 0},
        {"limit_s": 1e9},
    ]
    for damage in harm:
        value = json.loads(print_ring(Ring(current="p", keks={"p": held})))
        value["external"]["p"] |= damage
        with pytest.raises(KeyStoreError, match="x: damaged"):
            parse_ring(json.dumps(value), where="x")


def test_groups_and_retired_keys_read_back_as_they_were() -> None:
    """Versions of a period stand in order, and what holds by default is not written."""
    entries = [replace(ENTRY, group="sd", is_retired=True), replace(ENTRY, kid="k2", version=3)]
    assert parse_keys(print_keys(entries[::-1]), where="x") == tuple(entries)
    assert "retired" not in print_keys([ENTRY])
    assert "group" not in print_keys([ENTRY])


@pytest.mark.parametrize(
    "damage",
    [
        {"retired": 1},
        {"group": "a b"},
        {"kid": "a b"},
        {"period": "0"},
        {"period": True},
        {"version": 1.0},
        {"nonce": "AAAA"},
        {"sealed": "not base64!"},
        {"sealed": 3},
    ],
)
def test_a_damaged_entry_is_our_error(damage: dict[str, object]) -> None:
    value = json.loads(print_keys([ENTRY]))
    value["keys"][0] |= damage
    with pytest.raises(KeyStoreError, match=r"film\.json: damaged"):
        parse_keys(json.dumps(value), where="film.json")


@pytest.mark.parametrize(
    "damage",
    [{"current": "other"}, {"keks": {"new": "AAAA"}}, {"keks": {}}, {"keks": []}, {"format": "x"}],
)
def test_a_damaged_ring_is_our_error(damage: dict[str, object]) -> None:
    value = json.loads(print_ring(RING)) | damage
    with pytest.raises(KeyStoreError, match=r"ring\.json: damaged"):
        parse_ring(json.dumps(value), where="ring.json")


@given(st.text(max_size=200))
def test_garbage_is_our_error_and_is_not_quoted(text: str) -> None:
    """It may be half of a secret."""
    with pytest.raises(KeyStoreError) as caught:
        parse_ring("secret" + text, where="ring.json")
    assert "secret" not in str(caught.value)
