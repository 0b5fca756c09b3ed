"""Products as files: a seal that is found again, and what is no product is refused."""

from __future__ import annotations

import pytest

from abr.errors import MediaError
from transcode.planning.products import SEAL_BYTES, ProductFacts, read_seal, seal

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
