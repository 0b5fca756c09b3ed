"""The file of the audit log: whole lines whatever happens, moved away without losing one."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from abr.errors import ResourceError
from origin.server.auditlog import AuditLog

NOW_S = 1_800_000_000.0


def test_lines_are_appended_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    for text in (b"one\n", b"two\n"):
        log = AuditLog(path)
        log.write(text, now_s=NOW_S)
        log.close()
    assert path.read_bytes() == b"one\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_is_in_the_file_as_soon_as_it_is_written(tmp_path: Path) -> None:
    """Nothing waits in this process, which may be killed."""
    log = AuditLog(tmp_path / "audit")
    log.write(b"one\n", now_s=NOW_S)
    assert (tmp_path / "audit").read_bytes() == b"one\n"
    log.close()


def test_a_torn_line_is_ended_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    path.write_bytes(b'{"time": "20')
    log = AuditLog(path)
    log.write(b"one\n", now_s=NOW_S)
    log.close()
    assert path.read_bytes() == b'{"time": "20\none\n'


def test_a_file_that_was_moved_away_is_left_on_request(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    log = AuditLog(path)
    log.write(b"one\n", now_s=NOW_S)
    path.rename(tmp_path / "audit.1")
    log.write(b"two\n", now_s=NOW_S)
    log.reopen()
    log.write(b"three\n", now_s=NOW_S)
    log.close()
    assert (tmp_path / "audit.1").read_bytes() == b"one\ntwo\n"
    assert path.read_bytes() == b"three\n"


def test_a_file_is_moved_away_before_it_outgrows_its_limit(tmp_path: Path) -> None:
    """Twice within a second, too; nothing is replaced and no line is lost."""
    log = AuditLog(tmp_path / "audit", max_bytes=10)
    for number in range(7):
        log.write(b"line%d\n" % number, now_s=NOW_S)
    log.close()
    parts = sorted(tmp_path.iterdir(), key=lambda each: each.read_bytes())
    assert b"".join(each.read_bytes() for each in parts) == b"".join(
        b"line%d\n" % number for number in range(7)
    )
    assert all(each.stat().st_size <= 10 for each in parts)
    assert (tmp_path / "audit.20270115T080000Z").read_bytes() == b"line0\n"
    assert (tmp_path / "audit.20270115T080000Z-1").read_bytes() == b"line1\n"
    assert (tmp_path / "audit").read_bytes() == b"line6\n"


def test_lines_that_found_no_room_are_counted_and_told_of_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("/dev/full is not there")
    log = AuditLog(full)
    for _ in range(3):
        log.write(b"lost\n", now_s=NOW_S)
    assert (log.written, log.lost) == (0, 3)
    errors = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert "No space left" in errors[0].getMessage()
    log.path = tmp_path / "audit"
    log.reopen()
    log.write(b"kept\n", now_s=NOW_S)
    log.close()
    first, second = (tmp_path / "audit").read_bytes().splitlines()
    assert json.loads(first) == {"outcome": "lines-lost", "lines": 3}
    assert second == b"kept"


def test_a_file_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ResourceError) as caught:
        AuditLog(tmp_path / "no" / "folder")
    assert "--audit-log" in str(caught.value)
    os.symlink(tmp_path / "elsewhere", tmp_path / "link")
    with pytest.raises(ResourceError):
        AuditLog(tmp_path / "link")
