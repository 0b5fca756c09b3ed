"""Media becomes clear as soon as its key is here, in whatever order they come."""

from __future__ import annotations

import pytest

from player.playback.actions import KeyUse, Want
from player.playback.decrypting import Arrival, Decrypter, Outcome
from transcode.encryption import encrypt

KEY, OTHER_KEY, IV = bytes(range(16)), bytes(range(1, 17)), bytes(16)


def media(name: str) -> bytes:
    """Bytes that begin as a transport stream does."""
    return b"\x47" + name.encode()


def key(number: int) -> Want:
    return Want(kind="key", url=f"key/{number}")


def segment(index: int, use: int | None = 1) -> Want:
    how = None if use is None else KeyUse(f"key/{use}", IV)
    return Want(kind="segment", url=f"{index}", track="video", segment=index, rung=0, key=how)


def test_media_waits_for_its_key_and_comes_in_order() -> None:
    """Segments 0 and 1 arrive before the key; 2 arrives after it."""
    decrypter = Decrypter()
    assert decrypter.take(Arrival(0, segment(0), encrypt(media("a"), KEY, IV))).media == ()
    assert decrypter.take(Arrival(1, segment(1), encrypt(media("b"), KEY, IV))).media == ()
    assert decrypter.take(Arrival(2, key(1), KEY)).media == (
        (segment(0), media("a")),
        (segment(1), media("b")),
    )
    assert decrypter.take(Arrival(3, segment(2), encrypt(media("c"), KEY, IV))).media == (
        (segment(2), media("c")),
    )


def test_clear_media_waits_for_nothing() -> None:
    """Not even for media before it that does."""
    decrypter = Decrypter()
    decrypter.take(Arrival(0, segment(0), encrypt(media("a"), KEY, IV)))
    assert decrypter.take(Arrival(1, segment(1, None), media("b"))).media == (
        (segment(1, None), media("b")),
    )
    assert repr(decrypter) == "<Decrypter 0 keys, 1 waiting for one>"


@pytest.mark.parametrize("kind", ["multivariant", "media", "token"])
def test_what_is_no_media_is_left_alone(kind: str) -> None:
    want = Want(kind=kind, url="x")  # type: ignore[arg-type]  # literals
    assert Decrypter().take(Arrival(0, want, b"text")) == Outcome()


def test_media_that_is_cut_off_names_its_own_request() -> None:
    decrypter = Decrypter()
    decrypter.take(Arrival(0, key(1), KEY))
    outcome = decrypter.take(Arrival(9, segment(5), b"x" * 10))
    assert outcome.media == ()
    failure = outcome.failures[9]
    assert failure.kind == "unusable"
    assert failure.message.startswith("segment 5: encrypted segment: 10 bytes; expected a mult")


@pytest.mark.parametrize("wrong", [OTHER_KEY, b"short"])
def test_a_wrong_key_names_the_media_that_waited_for_it(wrong: bytes) -> None:
    """The request that brought the media, which had been taken for good."""
    decrypter = Decrypter()
    decrypter.take(Arrival(4, segment(0), encrypt(media("a") * 100, KEY, IV)))
    ((number, failure),) = decrypter.take(Arrival(5, key(1), wrong)).failures.items()
    assert number == 4
    assert failure.message.startswith("segment 0: ")
    assert KEY.hex() not in str(failure)


def test_one_that_is_of_no_use_keeps_none_of_the_others() -> None:
    """Segments 0 and 2 are whole, 1 was cut: the key makes two clear and tells of one."""
    decrypter = Decrypter()
    for index in range(3):
        whole = encrypt(media("a"), KEY, IV)
        decrypter.take(Arrival(index, segment(index), whole[:-1] if index == 1 else whole))
    outcome = decrypter.take(Arrival(3, key(1), KEY))
    assert [want.segment for want, _ in outcome.media] == [0, 2]
    assert list(outcome.failures) == [1]
