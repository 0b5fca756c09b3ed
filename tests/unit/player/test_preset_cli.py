"""``abr simulate --preset``: names, words after options, rows, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from abr.log import SessionLog
from abr.media import constant_presentation
from abr.sabremovie import read_sabre_movie, write_sabre_movie
from player import simulate as play_once
from player.batch.cli import spread
from player.batch.configurations import PENSIEVE_CONFIGURATIONS, SABRE_CONFIGURATIONS
from player.cli.simulate import simulate

ROW = {
    "movie",
    "network",
    "algorithm",
    "abandon",
    "rungs",
    "startup_s",
    "stall_events",
    "stall_s",
    "played_s",
    "bitrate_change_bps",
    "mean_bitrate_bps",
}


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    presentation = constant_presentation([3e5, 1e6, 3e6], segments=12, segment_s=4.0)
    (tmp_path / "film.json").write_text(write_sabre_movie(presentation))
    for name, kbps in (("slow", 700), ("fast", 9000)):
        period = {"duration_ms": 9000, "bandwidth_kbps": kbps, "latency_ms": 40}
        (tmp_path / f"{name}.json").write_text(json.dumps([period]))
    networks = [str(tmp_path / "slow.json"), str(tmp_path / "fast.json")]
    return ["--movie", str(tmp_path / "film.json"), "--network", *networks]


def run(*args: str) -> Result:
    return CliRunner().invoke(simulate, list(args))


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, (result.output, result.exception)
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_name_of_sabre_gives_a_row_for_each_network(files: list[str]) -> None:
    names = list(SABRE_CONFIGURATIONS)
    found = rows(run("--preset", "sabre", *files, "--algorithm", *names, "--json"))
    assert [(row["algorithm"], row["network"]) for row in found] == [
        (name, network) for name in names for network in ("slow", "fast")
    ]
    for row in found:
        assert row.keys() >= ROW
        assert row["movie"] == "film"
        assert row["abandon"] is True
        assert len(row["rungs"]) == 12
        assert row["played_s"] == pytest.approx(48)


def test_the_first_wait_is_what_it_is_by_hand(files: list[str]) -> None:
    """40 ms, then 1.2 Mbit at 700 kbit/s or 9 Mbit/s."""
    slow, fast = rows(run("--preset", "sabre", *files, "-a", "fixed", "--json"))
    assert slow["startup_s"] == pytest.approx(0.04 + 1.2 / 0.7)
    assert fast["startup_s"] == pytest.approx(0.04 + 1.2 / 9)
    assert fast["mean_bitrate_bps"] == pytest.approx(3e5)
    assert fast["bitrate_change_bps"] == 0


def test_pensieve_tells_qoe_lin_of_every_segment(files: list[str]) -> None:
    names = list(PENSIEVE_CONFIGURATIONS)
    found = rows(run("--preset", "pensieve", *files, "--algorithm", *names, "--json"))
    assert len(found) == 4
    for row in found:
        assert len(row["qoe_lin"]) == 12
        assert row["rungs"][0] == 1
        # 1 Mbit/s, less 4.3 for every second of the wait for segment 0.
        assert row["qoe_lin"][0] == pytest.approx(1 - 4.3 * row["startup_s"])


def test_our_own_preset_is_our_own_player(files: list[str]) -> None:
    (row,) = rows(run("--preset", "abrkit", *files[:4], "-a", "bba-0", "--json", "--rtt-ms", "50"))
    assert row["played_s"] == pytest.approx(48)
    # Two round trips, as a connection must be opened; 0.7 kB of headers; 4 ms of software.
    assert row["startup_s"] == pytest.approx(0.08 + 0.004 + (1.2 + 0.0056) / 0.7, abs=1e-3)


def test_a_table_is_for_people(files: list[str]) -> None:
    result = run("--preset", "sabre", *files, "-a", "bola", "throughput")
    assert result.exit_code == 0
    assert "mean Mbit/s" in result.stdout
    assert result.stdout.count("slow") == 2


def test_abandonment_can_be_left_out(files: list[str]) -> None:
    found = rows(run("--preset", "sabre", *files, "-a", "bola", "--no-abandon", "--json"))
    assert [(row["abandon"], row["abandoned"]) for row in found] == [(False, 0)] * 2


def test_parameters_reach_the_algorithm(files: list[str]) -> None:
    (low, _), (high, _) = (
        rows(run("--preset", "sabre", *files, "-a", "fixed", "--param", f"rung={k}", "--json"))
        for k in (0, 2)
    )
    assert (low["rungs"][1:], high["rungs"][1:]) == ([0] * 11, [2] * 11)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--preset", "sabre", "--movie", "m.json"], "needs --movie FILE and --network"),
        (["--preset", "nope"], "is not one of"),
        (["--movie", "m.json"], "need --preset"),
        (["pkg", "--preset", "sabre"], "instead of PACKAGE"),
        ([], "give PACKAGE and --trace"),
    ],
)
def test_wrong_options_are_usage_errors(args: list[str], said: str) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert said in result.output


def test_unknown_names_list_what_there_is(files: list[str]) -> None:
    result = run("--preset", "sabre", *files, "-a", "bolaf")
    assert "unknown algorithm 'bolaf'" in str(result.exception)
    assert "throughput_slide" in str(result.exception)


def test_a_setting_that_a_preset_lacks_is_refused(files: list[str]) -> None:
    result = run("--preset", "sabre", *files, "-a", "bola", "--rtt-ms", "10")
    assert "no rtt_s" in str(result.exception)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Expecting"),
        ("[]", "list indices"),
        ('{"bitrates_kbps": [1], "segment_duration_ms": 4}', "no 'segment_sizes_bits'"),
        (
            '{"bitrates_kbps": [1, 2], "segment_duration_ms": 4, "segment_sizes_bits": [[1]]}',
            "shape (1, 1) for 2",
        ),
        (
            '{"bitrates_kbps": [1], "segment_duration_ms": 4, "segment_sizes_bits": [[0]]}',
            "must be finite and positive",
        ),
    ],
)
def test_a_movie_that_is_none_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "film.json").write_text(text)
    result = run(
        "--preset", "sabre", "--movie", str(tmp_path / "film.json"), "--network", "profile:3g"
    )
    assert said in str(result.exception)
    assert "film.json" in str(result.exception)


def test_a_movie_reads_as_it_was_written() -> None:
    presentation = constant_presentation([3e5, 1.5e6], segments=3, segment_s=2.5)
    again = read_sabre_movie(write_sabre_movie(presentation), name="x", title="constant")
    assert again.digest() == presentation.digest()


def test_words_after_an_option_belong_to_it() -> None:
    said = ["--preset", "sabre", "--network", "a", "b", "-a", "x", "y", "--json"]
    assert spread(said) == [
        "--preset", "sabre", "--network", "a", "--network", "b", "-a", "x", "-a", "y", "--json",
    ]  # fmt: skip


def test_a_ceiling_leaves_the_rungs_above_out(files: list[str]) -> None:
    fast = rows(run("--preset", "sabre", *files, "-a", "bola", "--json"))[1]
    assert max(fast["rungs"]) == 2
    told = ["--preset", "sabre", *files, "-a", "bola", "--max-bitrate-mbps", "1", "--json"]
    assert max(rows(run(*told))[1]["rungs"]) == 1
    refused = run("--preset", "sabre", *files, "-a", "bola", "--max-height", "720")
    assert "set max_bitrate_bps instead" in str(refused.exception)


def test_a_session_begins_with_what_an_earlier_one_measured(
    files: list[str], tmp_path: Path
) -> None:
    """9 Mbit/s sustain the top rung, which then comes first; without a log the lowest does."""
    film = constant_presentation([3e5, 1e6, 3e6], segments=12, segment_s=4.0)
    earlier, empty = tmp_path / "earlier.jsonl", tmp_path / "empty.jsonl"
    log = play_once(film, trace=tmp_path / "fast.json", algorithm="rate")
    earlier.write_text(log.dumps())
    empty.write_text(SessionLog({}).dumps())
    told = ["--preset", "abrkit", *files, "-a", "rate", "--json"]
    first = [rows(run(*told, *more))[1]["rungs"][0] for more in ([], ["--after", str(earlier)])]
    assert first == [0, 2]
    both = run(*told, "--after", str(earlier), "--param", "initial_bps=1e6")
    assert (both.exit_code, "give one of them" in both.output) == (2, True)
    assert "no video segment was finished" in str(run(*told, "--after", str(empty)).exception)
    learned = run(*(w if w != "rate" else "abrkit-policy" for w in told), "--after", str(earlier))
    assert rows(learned)[1]["rungs"][0] == 2
    blind = run(*(w if w != "rate" else "bba-0" for w in told), "--after", str(earlier))
    assert "'bba-0' has no parameter initial_bps: an earlier session" in str(blind.exception)
