"""Names and key frames of HEVC and AV1: records that x265 and SVT-AV1 wrote, and made ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import MediaError
from tests.unit.transcode.test_codecs import init_of
from transcode.media.boxes import box
from transcode.media.codecs import KeyFrameTest, codec_of, key_frame_test
from transcode.media.obus import obus, sequence_header, starts_with_key_frame

HVCC_HEAD = "01 {profile} {flags} {constraints} {level} f000fcfdf8f800000f"
X265_MAIN = HVCC_HEAD.format(profile="01", flags="60000000", constraints="900000000000", level="1e")
X265_MAIN10_HIGH = HVCC_HEAD.format(
    profile="22", flags="20000000", constraints="900000000000", level="7b"
)
AV1_SDR = "81000c00 0a0e02000005157ffc02f81010101040"
AV1_PQ = "81004c00 0a0e02000005157ffc02f85091009040"
AV1_UNTAGGED = "81000c00 0a0b0200000521e7f66017c002"


def track(kind: bytes, record: str) -> bytes:
    """A visual sample entry with its configuration record."""
    name = {b"hvc1": b"hvcC", b"av01": b"av1C"}[kind]
    return init_of(box(kind, bytes(78), box(name, bytes.fromhex(record))))


@pytest.mark.parametrize(
    ("kind", "record", "codec"),
    [
        # 0x60000000 with its bits reversed is 6; level 1e is 30, that is 1.0; one constraint byte
        (b"hvc1", X265_MAIN, "hvc1.1.6.L30.90"),
        (b"hvc1", X265_MAIN10_HIGH, "hvc1.2.4.H123.90"),
        (
            b"hvc1",
            HVCC_HEAD.format(
                profile="41", flags="60000000", constraints="b00000000000", level="5d"
            ),
            "hvc1.A1.6.L93.B0",
        ),
        (
            b"hvc1",
            HVCC_HEAD.format(
                profile="01", flags="60000000", constraints="000000000000", level="5d"
            ),
            "hvc1.1.6.L93",
        ),
        (b"av01", AV1_SDR, "av01.0.00M.08"),
        (b"av01", AV1_PQ, "av01.0.00M.10.0.110.09.16.09.0"),
        (b"av01", AV1_UNTAGGED, "av01.0.00M.08.0.110.02.02.02.0"),
    ],
)
def test_the_name_is_that_of_the_bytes(kind: bytes, record: str, codec: str) -> None:
    """ISO/IEC 14496-15, annex E.3; AV1 in ISO base media files, section 5."""
    assert codec_of(track(kind, record)) == codec


@pytest.mark.parametrize(
    ("kind", "record"),
    [(b"hvc1", "01 01 6000"), (b"av01", "81000c00"), (b"av01", "81000c00 0a0e02")],
)
def test_a_record_that_is_cut_off_is_our_error(kind: bytes, record: str) -> None:
    with pytest.raises(MediaError, match=r"mp4|av1"):
        codec_of(track(kind, record))


@given(st.binary(max_size=60))
def test_random_records_raise_no_other_error(data: bytes) -> None:
    for kind in (b"hvc1", b"av01"):
        try:
            assert codec_of(track(kind, data.hex())).startswith(kind.decode())
        except MediaError as exc:
            assert "mp4" in str(exc) or "av1" in str(exc)


class Bits:
    """Writes bits, most significant first."""

    def __init__(self) -> None:
        self.text = ""

    def add(self, count: int, value: int = 0) -> Bits:
        self.text += f"{value:0{count}b}"
        return self

    def unit(self, kind: int) -> bytes:
        """An open bitstream unit with a size."""
        text = self.text + "1" + "0" * (-len(self.text + "1") % 8)
        payload = int(text, 2).to_bytes(len(text) // 8, "big")
        return bytes([kind << 3 | 2, len(payload)]) + payload


def test_timing_decoder_model_and_frame_ids_are_read_over() -> None:
    """Everything optional before the colour, as 5.5.1 orders it: level 5.1 and the high tier."""
    bits = Bits().add(3, 0).add(2)  # profile, still picture, reduced header
    bits.add(1, 1).add(64).add(1, 1).add(3, 0b010)  # timing info: equal intervals, uvlc 1
    bits.add(1, 1).add(5, 9).add(32).add(10)  # decoder model: delays of 10 bits
    bits.add(1, 1).add(5, 0)  # display delay; one operating point
    bits.add(12).add(5, 13).add(1, 1)  # level 5.1, high tier
    bits.add(1, 1).add(21).add(1, 1).add(4)  # its decoder model and display delay
    bits.add(4, 10).add(4, 10).add(22)  # sizes of 11 bits
    bits.add(1, 1).add(7).add(3)  # frame ids
    bits.add(4).add(1, 1).add(2).add(1, 1).add(1, 1).add(3)  # tools, order hints
    bits.add(3)
    bits.add(1, 1).add(1, 0).add(1, 1).add(8, 9).add(8, 18).add(8, 9).add(1, 0).add(2, 1)
    header = sequence_header(bits.unit(1))
    assert header is not None
    assert header.codec == "av01.0.13H.10.0.111.09.18.09.0"


def test_a_reduced_header_of_a_still_picture_in_grey_is_read() -> None:
    bits = Bits().add(3, 0).add(2, 0b11).add(5, 8)
    bits.add(4, 7).add(4, 7).add(16).add(3).add(3)
    bits.add(1, 0).add(1, 1).add(1, 0).add(1, 1)  # 8 bits, monochrome, no colour, full range
    header = sequence_header(bits.unit(1))
    assert header is not None
    assert header.codec == "av01.0.08M.08.1.110.02.02.02.1"


def frame(*, shows_existing: int = 0, kind: int = 0, is_shown: int = 1, unit: int = 6) -> bytes:
    return Bits().add(1, shows_existing).add(2, kind).add(1, is_shown).add(12).unit(unit)


DELIMITER, HEADER = b"\x12\x00", bytes.fromhex(AV1_SDR)[4:]


@pytest.mark.parametrize(
    ("sample", "is_key"),
    [
        (frame(), True),
        (DELIMITER + HEADER + frame(unit=3), True),
        (HEADER + frame(kind=1) + frame(), False),  # the first frame decides
        (frame(shows_existing=1), False),
        (frame(is_shown=0), False),  # a forward key frame: shown only later
        (frame(kind=2), False),  # intra only: earlier frames may still be referred to
        (HEADER, False),
        (b"", False),
    ],
)
def test_an_av1_segment_starts_with_a_key_frame_that_is_shown(sample: bytes, is_key: bool) -> None:
    assert starts_with_key_frame(sample) is is_key
    assert key_frame_test(track(b"av01", AV1_SDR)).passes(sample) is is_key


@pytest.mark.parametrize(
    "sample", [b"\x32", b"\x32\x05ab", b"\x36\x00\xff\xff\xff\xff\xff\xff\xff\xff"]
)
def test_units_that_do_not_fit_are_our_error(sample: bytes) -> None:
    with pytest.raises(MediaError, match="av1"):
        list(obus(sample))


def hevc(*kinds: int) -> bytes:
    """NAL units of three bytes of these types."""
    return b"".join(b"\0\0\0\3" + bytes([kind << 1, 1, 0]) for kind in kinds)


@pytest.mark.parametrize(
    ("kinds", "is_idr"),
    [
        ((19,), True),  # IDR that may have RADL pictures
        ((35, 32, 33, 34, 39, 20), True),  # delimiter, parameter sets, SEI, then IDR
        ((21,), False),  # CRA: its RASL pictures vanish where decoding starts here
        ((16,), False),
        ((1, 19), False),
        ((39,), False),
    ],
)
def test_an_hevc_segment_starts_with_an_idr_picture(kinds: tuple[int, ...], is_idr: bool) -> None:
    """H.265, table 7-1."""
    keys = key_frame_test(track(b"hvc1", X265_MAIN))
    assert keys == KeyFrameTest(b"hvc1", 4)
    assert keys.passes(hevc(*kinds)) is is_idr


def test_a_track_of_sound_has_no_key_frames() -> None:
    with pytest.raises(MediaError, match="expected avc1, hvc1 or av01"):
        key_frame_test(init_of(box(b"mp4a", bytes(28))))
