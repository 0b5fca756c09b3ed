#!/bin/sh
# One would guess: `np.sum(x)` inside a numba function gives what `np.sum(x)` gives in
# Python, since numba documents the function as supported.
#
# What happens: from 8 numbers on the last bits can differ. NumPy adds in eight
# interleaved partial sums (and pairwise blocks above 128 numbers); numba adds from left
# to right. Below 8 numbers both are the same loop and agree.
#
# Why it matters: an algorithm that runs both as Python and compiled compares throughput
# with ladder rates. One unit in the last place at a threshold picks another rung, and
# the two engines drift apart from there. Write the sum as a loop, in both engines.
#
# Seen with numba 0.68.1, numpy 2.4.6, CPython 3.11, Linux x86-64, 2026-11-28.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet numba==0.68.1 numpy==2.4.6
export NUMBA_CACHE_DIR="$work/cache"

cat > sums.py <<'PY'
import numba
import numpy as np

@numba.njit
def compiled_sum(values):
    return np.sum(values)

@numba.njit
def compiled_loop(values):
    total = 0.0
    for value in values:
        total += value
    return total

rng = np.random.default_rng(1)
differ = {}
loops_differ = 0
for count in (4, 7, 8, 16, 100):
    draws = rng.uniform(0.1, 10.0, size=(1000, count))
    differ[count] = sum(compiled_sum(row) != np.sum(row) for row in draws)
    loops_differ += sum(compiled_loop(row) != compiled_loop.py_func(row) for row in draws)
    print(f"{count:3} numbers: {differ[count]:3} of 1000 sums differ from NumPy's")
print(f"a loop, compiled and as Python: {loops_differ} of 5000 differ")
same_below_8 = differ[4] == differ[7] == 0
raise SystemExit(0 if same_below_8 and differ[8] and differ[100] and not loops_differ else 1)
PY

if venv/bin/python sums.py; then
  echo "PASS: np.sum differs between numba and NumPy from 8 numbers on; a loop does not"
else
  echo "CHANGED: expected equal sums below 8 numbers and unequal ones from 8 on"
  exit 1
fi
