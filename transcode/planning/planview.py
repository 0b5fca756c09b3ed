"""A plan as programs and people read it: what is chosen, what is to be done, what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from transcode.masters.master import Master
from transcode.planning.jobs import Job, ProductName, VideoJob, jobs_of
from transcode.planning.plan import EncodePlan, VideoPlan


def plan_as_data(
    master: Master, plan: EncodePlan, addresses: Mapping[ProductName, str], there: frozenset[str]
) -> dict[str, Any]:
    """Everything that a plan decides, in values that JSON has; times in seconds of the film.

    Args:
        master: What is encoded.
        plan: How.
        addresses: Of all products.
        there: Addresses of the products that the cache holds.
    """
    jobs = list(jobs_of(plan))
    missing = sum(address not in there for address in addresses.values())
    return {
        "master": {
            "path": master.where,
            "codec": master.codec,
            "width": master.width,
            "height": master.height,
            "frame_rate": float(master.frame_rate),
            "duration_s": plan.duration_s,
        },
        "streams": [
            {"index": each.index, "kind": each.kind, "what": each.what, "use": each.use}
            for each in master.streams
        ],
        "notes": [str(each) for each in plan.notes],
        "frame_rate": float(plan.pictures.frame_rate),
        "gop_frames": plan.pictures.gop_frames,
        "segment_frames": plan.pictures.segment_frames,
        "rungs": [_rung(f"v{number}", rung) for number, rung in enumerate(plan.rungs)],
        "audio": [
            {
                "track": f"a{number}",
                "codec": each.codec,
                "channels": each.channels,
                "bitrate_bps": each.bitrate_bps,
                "name": each.name,
            }
            for number, each in enumerate(plan.audio)
        ],
        "jobs": [_job(job, plan, addresses, there) for job in jobs],
        "products": len(addresses),
        "missing": missing,
    }


def _rung(track: str, rung: VideoPlan) -> dict[str, Any]:
    control = rung.rate_control
    return {
        "track": track,
        "codec": rung.codec,
        "width": rung.width,
        "height": rung.height,
        "preset": rung.preset,
        "crf": control.crf,
        "peak_bps": control.peak_bps,
    }


def _job(
    job: Job, plan: EncodePlan, addresses: Mapping[ProductName, str], there: frozenset[str]
) -> dict[str, Any]:
    start_s, duration_s, seek_s = 0.0, plan.duration_s, None
    if isinstance(job, VideoJob):
        rate = plan.pictures.frame_rate
        start_s = float(job.chunk.first_frame / rate)
        duration_s = float((job.chunk.frames or 0) / rate) or plan.duration_s
        seek_s = job.chunk.seek_s
    return {
        "job": str(job),
        "kind": "pictures" if isinstance(job, VideoJob) else "sound",
        "start_s": start_s,
        "duration_s": duration_s,
        "seek_s": seek_s,
        "products": [
            {
                "track": name.track,
                "address": addresses[name],
                "is_there": addresses[name] in there,
            }
            for name in job.products
        ],
    }


def plan_as_lines(data: Mapping[str, Any]) -> Iterator[str]:
    """The same as a tree of text, one line after the other."""
    master = data["master"]
    yield (
        f"{master['path']}: {master['codec']} {master['width']}x{master['height']}, "
        f"{master['frame_rate']:.5g} frames/s, {master['duration_s']:.2f} s"
    )
    for stream in data["streams"]:
        yield f"  stream {stream['index']}  {stream['kind']}  {stream['what']}: {stream['use']}"
    for said in data["notes"]:
        yield f"  note: {said}"
    yield (
        f"tracks: {data['frame_rate']:.5g} frames/s, a key frame every {data['gop_frames']} "
        f"frames, segments of {data['segment_frames']}"
    )
    yield from _columns(
        [
            *(
                (
                    each["track"],
                    each["codec"],
                    f"{each['width']}x{each['height']}",
                    each["preset"],
                    _rate(each),
                )
                for each in data["rungs"]
            ),
            *(
                (
                    each["track"],
                    each["codec"],
                    f"{each['channels']} ch",
                    "",
                    f"{each['bitrate_bps'] / 1000:.0f} kbit/s",
                )
                for each in data["audio"]
            ),
        ]
    )
    yield "jobs:"
    yield from _columns([_job_row(each) for each in data["jobs"]])
    held = data["products"] - data["missing"]
    yield f"{held} of {data['products']} products are in the cache, {data['missing']} to be made"


def _rate(rung: Mapping[str, Any]) -> str:
    return f"crf {rung['crf']:g}, at most {rung['peak_bps'] / 1000:.0f} kbit/s"


def _job_row(job: Mapping[str, Any]) -> tuple[str, ...]:
    missing = [each["track"] for each in job["products"] if not each["is_there"]]
    kept = [each["track"] for each in job["products"] if each["is_there"]]
    words = []
    if missing:
        words.append(f"make {' '.join(missing)}")
    if kept:
        words.append(f"there {' '.join(kept)}")
    name = str(job["job"]).partition(" of ")[0]
    end_s = job["start_s"] + job["duration_s"]
    return name, f"{job['start_s']:.2f}", f"to {end_s:.2f} s", "; ".join(words)


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        return
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield ("  " + "  ".join(cells)).rstrip()
