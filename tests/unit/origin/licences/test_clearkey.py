"""ClearKey requests and licences."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.licences.clearkey import ClearKey, LicenceRequestError
from origin.licences.keys import KeyToGive
from transcode.encryption import is_key_id

CLEARKEY = ClearKey()
# As in W3C EME, section 9.1.3: a kid, and the same in hexadecimal digits.
EXAMPLE = b'{"kids":["LwVHf8JLtPrv2GUXFW2v_A"],"type":"temporary"}'
EXAMPLE_KID = "2f05477fc24bb4faefd86517156daffc"


def test_the_example_of_the_standard_is_read() -> None:
    assert CLEARKEY.kids_of(EXAMPLE) == (EXAMPLE_KID,)


def test_a_licence_is_a_set_of_keys_as_the_standard_has_it() -> None:
    """And says when to ask again."""
    key = KeyToGive(kid=EXAMPLE_KID, key=bytes.fromhex("8f3d7b5d1ea6a30fbd1ba4a9f9d6b93c"))
    found = json.loads(CLEARKEY.licence(EXAMPLE, (key,), expires_s=1234.9))
    assert found == {
        "keys": [{"kty": "oct", "kid": "LwVHf8JLtPrv2GUXFW2v_A", "k": "jz17XR6mow-9G6Sp-da5PA"}],
        "type": "temporary",
        "exp": 1234,
    }


def test_a_request_without_a_type_is_one_for_a_temporary_licence() -> None:
    assert CLEARKEY.kids_of(b'{"kids":["LwVHf8JLtPrv2GUXFW2v_A"]}') == (EXAMPLE_KID,)


def test_a_repeated_key_id_counts_once_and_others_keep_their_order() -> None:
    request = b'{"kids":["AAAAAAAAAAAAAAAAAAAAAQ","LwVHf8JLtPrv2GUXFW2v_A",'
    request += b'"AAAAAAAAAAAAAAAAAAAAAQ"]}'
    assert CLEARKEY.kids_of(request) == (f"{1:032x}", EXAMPLE_KID)


@pytest.mark.parametrize(
    ("request_bytes", "said"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not an object"),
        (b"{}", 'no list of "kids"'),
        (b'{"kids":[]}', 'no list of "kids"'),
        (b'{"kids":"LwVHf8JLtPrv2GUXFW2v_A"}', 'no list of "kids"'),
        (b'{"kids":[null]}', "kids[0] is not a key id"),
        (b'{"kids":["LwVHf8JLtPrv2GUXFW2v_A",""]}', "kids[1] is not a key id"),
        (b'{"kids":["LwVHf8JLtPrv2GUXFW2v_A=="]}', "without padding"),
        (b'{"kids":["LwVHf8JLtPrv2GUXFW2v/A"]}', "base64url"),
        (b'{"kids":["LwVHf8JLtPrv2GUXFW2v_B"]}', "not a key id"),
        (b'{"kids":["2f05477fc24bb4faefd86517156daffc"]}', "22 characters"),
        ('{"kids":["LwVHf8JLtPrv2GUXFW2v_é"]}'.encode(), "not a key id"),
        (EXAMPLE.replace(b"temporary", b"persistent-license"), "another type"),
        (json.dumps({"kids": ["LwVHf8JLtPrv2GUXFW2v_A"] * 257}).encode(), "257 kids"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(request_bytes: bytes, said: str) -> None:
    with pytest.raises(LicenceRequestError) as caught:
        CLEARKEY.kids_of(request_bytes)
    assert said in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=24),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(
    st.binary(max_size=200)
    | st.fixed_dictionaries({"kids": VALUES}, optional={"type": VALUES}).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_whatever_comes_is_read_as_key_ids_or_refused(request_bytes: bytes) -> None:
    try:
        kids = CLEARKEY.kids_of(request_bytes)
    except LicenceRequestError as exc:
        assert str(exc).startswith("licence request: ")
        return
    assert kids
    assert all(is_key_id(kid) for kid in kids)


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=64, unique=True))
def test_every_key_id_is_read_as_it_is_written(ids: list[bytes]) -> None:
    keys = [KeyToGive(kid=each.hex(), key=each) for each in ids]
    licence = json.loads(CLEARKEY.licence(b"", keys, expires_s=0))
    request = json.dumps({"kids": [each["kid"] for each in licence["keys"]]}).encode()
    assert CLEARKEY.kids_of(request) == tuple(each.hex() for each in ids)


def test_a_key_shows_in_no_repr() -> None:
    key = KeyToGive(kid=EXAMPLE_KID, key=b"\x01" * 16)
    assert "\\x01" not in repr(key)
    assert "0101" not in repr(key)
