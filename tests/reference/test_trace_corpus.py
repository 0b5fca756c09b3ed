"""Real traces read without fuss, and survive every format."""

from __future__ import annotations

from pathlib import Path

import pytest

from abr.traceformats import WRITABLE, read_readings, read_trace, write_trace

CORPUS = Path(__file__).parents[3] / "shared" / "traces"
KINDS = {
    "fcc_cooked": "cooked",
    "hsdpa_norway": "cooked",
    "puffer_cooked": "cooked",
    "sabre_fcc": "sabre",
    "mahimahi": "mahimahi",
}


@pytest.mark.parametrize("folder", KINDS)
def test_the_corpus_reads_and_survives_every_format(folder: str) -> None:
    """The kind is found out; what is written has the same mean and prints the same again."""
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real traces is not beside this checkout")
    files = [f for f in sorted((CORPUS / folder).iterdir()) if f.name != "README"]
    assert files
    for file in files[:: 1 + len(files) // 4]:
        data = file.read_bytes()
        trace = read_trace(data, name=file.name)
        named = read_trace(data, name=file.name, format=KINDS[folder])
        assert trace.digest() == named.digest(), file.name
        for kind in WRITABLE:
            if kind == "mahimahi" and trace.duration_s * trace.mean_bps > 2e9:
                continue  # right, but slow: a line for each packet
            text = write_trace(trace, kind)
            back = read_trace(text, name=file.name)
            assert back.mean_bps == pytest.approx(trace.mean_bps, rel=1e-3), (file.name, kind)
            assert write_trace(back, kind) == text, (file.name, kind)


@pytest.mark.parametrize("folder", ["fcc_cooked", "hsdpa_norway", "puffer_cooked"])
def test_only_the_set_that_is_8_times_too_low_is_doubted(folder: str) -> None:
    """Its rates are bytes per second divided by a million, under a label of Mbit/s."""
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real traces is not beside this checkout")
    for file in sorted((CORPUS / folder).iterdir()):
        (reading,) = read_readings(file.read_bytes(), name=file.name)
        doubted = any("8 times too low" in remark for remark in reading.remarks)
        assert doubted is (folder == "puffer_cooked"), (file.name, reading.remarks)
        assert doubted or not any("unit" in r or "--columns" in r for r in reading.remarks)


@pytest.mark.parametrize("folder", ["fcc_cooked", "hsdpa_norway"])
def test_the_same_files_in_kilobits_are_doubted(folder: str) -> None:
    """All of them have a median of more than 20, which under Mbit/s is 5G, fibre or a mistake."""
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real traces is not beside this checkout")
    for file in sorted((CORPUS / folder).iterdir()):
        rows = [line.split() for line in file.read_text().splitlines() if line.strip()]
        text = "".join(f"{time} {float(rate) * 1000:.6f}\n" for time, rate in rows)
        (reading,) = read_readings(text.encode(), name=file.name, format="cooked")
        assert any("if it is kbit/s: --columns" in remark for remark in reading.remarks), file.name
