#!/bin/sh
# One would guess: a trace of lines `time rate`, read by a simulator of the Pensieve family,
# offers each rate from its time on. So `0 8`, `10 1`, `20 1` begins with 10 s of 8 Mbit/s.
#
# What happens: a rate is that of the time BEFORE its line, since the line before it. The rate of
# the first line is never played, neither at the start nor after the trace wraps around.
#
# Why it matters: converters that write the rate at the start of its interval (`0 r0`, `1 r1`, ...),
# as most published tables have it, shift every trace by one line and lose its first and last
# interval. Means over long traces hide it; short traces with few steps do not.
#
# Seen with pensieve-ppo 3.9.0, numpy 2.4.6, CPython 3.11, 2026-11-29.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6
venv/bin/pip install --quiet --no-deps pensieve-ppo==3.9.0

mkdir traces
printf '0 8\n10 1\n20 1\n' > traces/steps

cat > play.py <<'PY'
from pensieve_ppo.core.trace.loader import load_trace
from pensieve_ppo.core.trace.simulator import TraceSimulator

network = TraceSimulator(load_trace("traces"), packet_payload_portion=1.0, link_rtt=0)
megabit = 125_000
seconds = [network.download_chunk(megabit) / 1000 for _ in range(45)]
print(f"45 downloads of 1 Mbit: {min(seconds):.3f} to {max(seconds):.3f} s each")
# At 8 Mbit/s one takes 0.125 s; 45 of them cross the end of the trace twice.
raise SystemExit(0 if all(abs(each - 1) < 1e-9 for each in seconds) else 1)
PY

if venv/bin/python play.py; then
  echo "PASS: 1 Mbit takes 1 s everywhere, so the first line's 8 Mbit/s are never played"
else
  echo "CHANGED: expected every download at 1 Mbit/s, none at the 8 of the first line"
  exit 1
fi
