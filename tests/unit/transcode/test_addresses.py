"""Addresses: the same for the same bytes, and another for anything that changes them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from tests.golden.make_ffmpeg_arguments import master
from transcode.addresses import address_of
from transcode.config import TranscodeConfig
from transcode.masters.sound import AudioFacts
from transcode.planning.chunks import Chunk
from transcode.planning.jobs import Job, ProductName, VideoJob, jobs_of
from transcode.planning.plan import plan_encode
from transcode.run.cache import Cache
from transcode.run.schedule import keep_undamaged, order_of


def jobs(**settings: object) -> list[Job]:
    facts = master(640, 360, Fraction(24), sounds=(AudioFacts(index=1, channels=2),))
    config = TranscodeConfig(**settings)  # type: ignore[arg-type]  # a table of settings
    return list(jobs_of(plan_encode(facts, config)))


def addresses(source: str = "s", build: str = "b", **settings: object) -> dict[ProductName, str]:
    return {
        name: address_of(job, name, source=source, build=build)
        for job in jobs(**settings)
        for name in job.products
    }


def test_every_product_has_an_address_of_its_own() -> None:
    found = addresses()
    assert len(set(found.values())) == len(found)
    assert found == addresses()


def test_another_master_or_ffmpeg_changes_every_address() -> None:
    found = set(addresses().values())
    assert not found & set(addresses(source="t").values())
    assert not found & set(addresses(build="c").values())


def test_a_changed_rung_changes_its_own_address_only() -> None:
    """And one that is added changes none, though folders move."""
    two = set(addresses(ladder="180:200,360:600").values())
    changed = set(addresses(ladder="180:200,360:700").values())
    added = set(addresses(ladder="90:80,180:200,360:600").values())
    assert len(two & changed) == len(two) - 1
    assert len(two & added) == len(two)


def test_where_a_chunk_lies_changes_its_address() -> None:
    """First frame, length and the place that is sought, each by one."""
    (job,) = (each for each in jobs(ladder="180:200,360:600") if isinstance(each, VideoJob))
    chunks = [
        Chunk(index=1, first_frame=96, frames=96, seek_s=4.0, is_last=False),
        Chunk(index=1, first_frame=97, frames=96, seek_s=4.0, is_last=False),
        Chunk(index=1, first_frame=96, frames=97, seek_s=4.0, is_last=False),
        Chunk(index=1, first_frame=96, frames=96, seek_s=4.1, is_last=False),
        Chunk(index=1, first_frame=96, frames=96, seek_s=4.0, is_last=True),
    ]
    found = {
        address_of(replace(job, chunk=chunk), ProductName("v0", 1), source="s", build="b")
        for chunk in chunks
    }
    assert len(found) == len(chunks)
    again = replace(job, chunk=replace(chunks[0], index=7))
    assert address_of(again, ProductName("v0", 7), source="s", build="b") in found


def test_what_was_made_before_damage_was_met_is_kept(tmp_path: Path) -> None:
    """Under the address that it has where damage is allowed for; a changed rung is not."""
    found = jobs(ladder="180:200,360:600")
    chunk = next(each for each in found if isinstance(each, VideoJob))
    allowing = replace(chunk, pictures=replace(chunk.pictures, is_damaged=True))
    other = replace(allowing, chunk=replace(chunk.chunk, frames=1))
    cache = Cache(tmp_path)
    before = order_of([chunk], source="s", build="b")
    name = chunk.products[0]
    made = cache.path_of(before.addresses[name])
    made.parent.mkdir(parents=True)
    made.write_bytes(b"a product")
    for job, is_kept in ((allowing, True), (other, False)):
        after = order_of([job], source="s", build="b")
        keep_undamaged(before, after, cache)
        assert after.addresses[name] != before.addresses[name]
        assert [cache.holds(after.addresses[each]) for each in job.products] == [is_kept, False]
