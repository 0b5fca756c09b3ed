"""Products as files: a seal that is found again, and what is no product is refused."""

from __future__ import annotations

import pytest

from abr.errors import MediaError
from tests.unit.transcode.test_fragments import AAC, init_section
from transcode.encoders.rates import RateControl
from transcode.media.fragments import Sample, write_fragment
from transcode.planning.products import SEAL_BYTES, Inspection, ProductFacts, read_seal, seal

FACTS = ProductFacts(samples=384, units=1_440_000, timescale=90_000, sha256="ab" * 32)


def test_a_seal_reads_back() -> None:
    """A box of 256 bytes, of a kind that players skip."""
    data = seal(FACTS)
    assert len(data) == SEAL_BYTES
    assert data[4:8] == b"free"
    assert read_seal(data) == FACTS


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(SEAL_BYTES),
        seal(FACTS)[:-1],
        seal(FACTS).replace(b"free", b"skip"),
        seal(FACTS).replace(b'"samples"', b'"example"'),
        seal(FACTS)[:8] + b"[" * (SEAL_BYTES - 8),
    ],
)
def test_anything_else_is_no_seal(data: bytes) -> None:
    with pytest.raises(MediaError, match="has no seal"):
        read_seal(data)


def test_a_tighter_control_lets_no_segment_take_more_than_two_fifths_over_the_cap() -> None:
    """A full buffer and the rate for the length of a segment: 0.9 of a buffer, and the rate."""
    plain = RateControl(crf=23, peak_bps=1_000_000, buffer_bits=2_000_000)
    for duration_s in (1.0, 2.0, 4.0, 10.0):
        tight = plain.tightened(excess=1.8, duration_s=duration_s, keeps_buffer=True)
        most = 0.9 * tight.buffer_bits + duration_s * tight.peak_bps
        assert duration_s * 1e6 < most <= 1.401e6 * duration_s
    assert plain.tightened(excess=2.0, duration_s=4.0, keeps_buffer=False).peak_bps == 500_000


def test_the_fastest_segment_of_a_product_is_found_and_a_short_last_one_is_not_counted() -> None:
    """Segments of 2 frames at 10 a second: 400 and 800 bytes, then one frame of 900."""
    init = init_section(AAC)  # of pictures, the key frames would have to be some
    sizes = [200, 200, 400, 400, 900]
    samples = [Sample(9000, number % 2 == 0, 0, bytes(size)) for number, size in enumerate(sizes)]
    for frames, expected in ((4, (32_000, 0.2)), (5, (72_000, 0.1))):
        inspection = Inspection("v0-00000", segment_frames=2)
        inspection.feed(init)
        inspection.feed(write_fragment(samples[:frames], sequence=1, decode_time=0))
        assert inspection.fastest == pytest.approx(expected)
