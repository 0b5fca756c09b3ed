"""Session logs as text."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import LogFormatError
from abr.log import SCHEMA, SessionLog


def small() -> SessionLog:
    """A log with two records."""
    log = SessionLog({"driver": "virtual"})
    log.add("start", 0.0)
    log.add("fetch", 0.1 + 0.2, id=0, kind="multivariant", uri="multivariant.m3u8")
    return log


def test_a_log_reads_back_as_it_was_written() -> None:
    """Floats keep their last bit."""
    again = SessionLog.loads(small().dumps())
    assert again.records == small().records
    assert again.provenance == {"driver": "virtual"}


def test_the_first_line_names_the_schema() -> None:
    """A reader can tell what it has from one line."""
    assert json.loads(small().dumps().splitlines()[0])["schema"] == SCHEMA


def test_time_may_not_go_back() -> None:
    """Records are added in order."""
    log = small()
    with pytest.raises(ValueError, match="comes after"):
        log.add("wake", 0.2)


HEAD = json.dumps({"e": "provenance", "schema": SCHEMA})
CASES = {
    "": "x.jsonl: empty; expected a session log in JSON Lines",
    "nonsense": "x.jsonl:1: not JSON",
    "[]": "x.jsonl:1: list; expected a JSON object",
    '{"e":"start","t":0}': "x.jsonl:1: no provenance record",
    '{"e":"provenance","schema":"abrkit-session-log/9.0"}': "schema 'abrkit-session-log/9.0'; this",
    f'{HEAD}\n{{"e":"start"}}': "x.jsonl:2: time None; expected seconds",
    f'{HEAD}\n{{"e":"bang","t":0}}': "x.jsonl:2: unknown record kind 'bang'",
    f'{HEAD}\n{{"e":["start"],"t":0}}': "x.jsonl:2: unknown record kind",
    f'{HEAD}\n{{"e":"start","t":2}}\n{{"e":"wake","t":1}}': "x.jsonl:3: time 1 s comes after 2 s",
    f'{HEAD}\n{{"e":"start","t":NaN}}': "x.jsonl:2: time nan",
}


@pytest.mark.parametrize(("text", "message"), CASES.items())
def test_what_is_no_log_is_refused_with_file_and_line(text: str, message: str) -> None:
    """Where, what was found, what was expected."""
    with pytest.raises(LogFormatError) as caught:
        SessionLog.loads(text, name="x.jsonl")
    assert message in str(caught.value)


@given(st.text(), st.integers(0, 400))
def test_damage_raises_our_error_and_no_other(noise: str, place: int) -> None:
    """Any text in any place: it reads, or it is refused."""
    text = small().dumps()
    damaged = text[:place] + noise + text[place:]
    with contextlib.suppress(LogFormatError):
        SessionLog.loads(damaged)


def test_a_log_of_version_1_is_read_as_one_of_today() -> None:
    """A reason was a number there, and what had arrived an object."""
    first = SCHEMA.replace("/2.", "/1.")
    head = json.dumps({"e": "provenance", "schema": first, "whys": ["", "panic"]})
    lines = (
        '{"e":"wake","t":1.0,"received_bytes":{"3":10.0}}',
        '{"e":"decision","t":1.0,"segment":0,"rung":0,"wait_s":0.0,"why":1,"buffer_s":0.0}',
        '{"e":"decision","t":1.0,"segment":1,"rung":0,"wait_s":0.0,"why":7,"buffer_s":0.0}',
    )
    log = SessionLog.loads("\n".join((head, *lines)))
    assert log.records[0] == {
        "e": "wake",
        "t": 1.0,
        "received": [{"id": 3, "received_bytes": 10.0}],
    }
    assert [record["why"] for record in log.of("decision")] == ["panic", "7"]
