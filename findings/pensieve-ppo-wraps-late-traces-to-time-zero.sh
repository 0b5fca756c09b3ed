#!/bin/sh
# One would guess: a trace whose times run from 180 to 182 lasts 2 s, and after its end it starts
# again: 2 s of the same rates.
#
# What happens: at the wrap the clock is set to 0, not to the first time of the trace, while the
# next line still ends at 181. The second line's rate then holds for 181 s in place of one, in
# every pass but the first.
#
# Why it matters: published sets hold such files (pieces cut out of long logs that kept their
# times, beginning at 180 s and at other times). In those, nearly all of a session is played at
# the rate of a single line, and the mean that a reader computes from the file is not what was
# played. Subtract the first time of a trace before it is used.
#
# Seen with pensieve-ppo 3.9.0, numpy 2.4.6, CPython 3.11, 2026-11-29.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6
venv/bin/pip install --quiet --no-deps pensieve-ppo==3.9.0

mkdir late early
printf '180 9\n181 1\n182 4\n' > late/steps
printf '0 9\n1 1\n2 4\n' > early/steps

cat > play.py <<'PY'
from pensieve_ppo.core.trace.loader import load_trace
from pensieve_ppo.core.trace.simulator import TraceSimulator

def seconds(folder, megabits):
    network = TraceSimulator(load_trace(folder), packet_payload_portion=1.0, link_rtt=0)
    return network.download_chunk(megabits * 125_000) / 1000

# 5 Mbit in a pass of 2 s: 50 Mbit take ten passes.
found = {folder: seconds(folder, 49.9) for folder in ("early", "late")}
for folder, took in found.items():
    print(f"{folder}: 49.9 Mbit in {took:.1f} s")
# After the wrap the late one gets 1 Mbit/s for 181 s: 5 Mbit in 2 s, then 44.9 in 44.9 s.
ok = abs(found["early"] - 19.975) < 1e-6 and abs(found["late"] - 46.9) < 1e-6
raise SystemExit(0 if ok else 1)
PY

if venv/bin/python play.py; then
  echo "PASS: after the wrap one line's rate holds from time 0 to that line's own time"
else
  echo "CHANGED: expected 20.0 s for times from 0, and 46.9 s for the same times from 180"
  exit 1
fi
