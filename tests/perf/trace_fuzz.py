"""Mutate a sample of every trace format, and read what comes out.

Whatever the bytes, reading ends in traces or in ``TraceFormatError`` on one line that
begins with the file's name. Prints a row per format; exits 1 at anything else.

    .venv/bin/python -m tests.perf.trace_fuzz --count 100000

Every fourth mutant is read as a table told by columns. What is read is looked at, too: no
negative, infinite or absurd rate, and no time that decreases.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator

import numpy as np

from abr.errors import TraceFormatError
from abr.traceformats import Reading, read_readings
from tests.fakes.traces import SAMPLES

_WORDS = (
    b"0 1 9 -1 1e999 1e308 -0 nan inf NULL - , ; \t \n \r \r\n # \" ' [ ] { } : . _ "
    b"99999999999999999999 1e-320 0x10 1_000 \xff \x00 \xef\xbb\xbf \xe2\x80\xa8 true null"
)
COLUMNS = (
    "time=1,rate=2:kbit", "time=1:ms,rate=2:mbit,applies=since", "rate=1:mbit,step=1s",
    "duration=6:ms,bytes=5:B", "time=2:ms,bytes=5:B",
    "time=timestamp,rate=dl_bitrate:kbit,run=state",
    "time=time_s,rate=kbps,rtt=rtt_ms,loss=loss_pct", "time=1,end=2,rate=last:mbit",
    "time=timestamps:s,rate=bandwidths:mbit", "duration=duration_ms:ms,rate=bandwidth_kbps",
    "time=1:ms,bytes_total=2:B", "time=1,rate=2:kbit,decimal=comma", "time=1:mdy,rate=2:kbit",
)  # fmt: skip
PIECES = [*_WORDS.split(b" "), b" ", b"\n\n", b"\xd9\xa1", b"[" * 2000]


def mutated(sample: bytes, rng: np.random.Generator) -> bytes:
    """``sample`` after one to four small accidents."""
    data = bytearray(sample)
    for _ in range(int(rng.integers(1, 5))):
        at, to = sorted(int(i) for i in rng.integers(0, len(data) + 1, 2))
        to = min(to, at + 24)
        match int(rng.integers(0, 7)):
            case 0:
                data[at:at] = PIECES[int(rng.integers(len(PIECES)))]
            case 1:
                data[at:to] = PIECES[int(rng.integers(len(PIECES)))]
            case 2:
                del data[at:to]
            case 3 if at < len(data):
                data[at] ^= 1 << int(rng.integers(8))
            case 4:
                data[at:at] = data[at:to]
            case 5:
                lines = data.split(b"\n")
                i, j = (int(k) for k in rng.integers(0, len(lines), 2))
                lines[i], lines[j] = lines[j], lines[i]
                data = bytearray(b"\n".join(lines))
            case _:
                if rng.random() < 0.1:
                    del data[at:]
    return bytes(data)


def tries(kind: str, count: int, seed: int) -> Iterator[tuple[bytes, str]]:
    """Mutants of one sample, and what each ended in: ``read``, ``refused``, or what went wrong."""
    rng = np.random.default_rng([seed, list(SAMPLES).index(kind)])
    for n in range(count):
        data = mutated(SAMPLES[kind], rng)
        try:
            columns = COLUMNS[n // 4 % len(COLUMNS)] if n % 4 == 0 else None
            form = kind if n % 2 else None
            found = read_readings(data, name="f.x", format=form, columns=columns)
        except TraceFormatError as exc:
            text = str(exc)
            fine = text.startswith("f.x") and "\n" not in text and len(text) < 600
            yield data, "refused" if fine else f"message of {len(text)} letters {text[:200]!r}"
        except Exception as exc:  # noqa: BLE001  # what must not happen is what is looked for
            yield data, f"{type(exc).__name__}: {exc}"
        else:
            yield data, "read" if found and all(map(is_sane, found)) else "no usable trace"


def is_sane(reading: Reading) -> bool:
    """Whether a trace is one: times that grow, and rates of links that there are."""
    trace = reading.trace
    rates, steps_s = trace.capacity_bps, np.diff(trace.times_s)
    return bool(
        0 < trace.duration_s < np.inf
        and trace.mean_bps > 0
        and np.all((rates >= 0) & (rates <= 1e12))
        and np.all(steps_s >= 0)
        and (trace.rtt_s is None or np.all(np.isfinite(trace.rtt_s) & (trace.rtt_s >= 0)))
    )


def main() -> int:
    """Run all formats; 1 when something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=2000, help="mutants of each sample")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--format", choices=list(SAMPLES), action="append")
    args = parser.parse_args()
    warnings.simplefilter("error")
    wrong = 0
    for kind in args.format or SAMPLES:
        ends = {"read": 0, "refused": 0}
        begin_s = time.perf_counter()
        for data, end in tries(kind, args.count, args.seed):
            if end in ends:
                ends[end] += 1
            else:
                wrong += 1
                print(f"{kind}: {end} from {data[:200]!r}")
        took_s = time.perf_counter() - begin_s
        print(
            f"{kind:9} {args.count:8} mutants: {ends['read']:7} read, {ends['refused']:7} refused, "
            f"{args.count - sum(ends.values())} wrong, {took_s:.1f} s",
            flush=True,
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
