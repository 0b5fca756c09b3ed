#!/bin/sh
# One would guess: RE2 runs in linear time, so with a limit on the length of a pattern and of a
# text, a pattern from outside cannot keep a server busy; and `max_mem` bounds the rest.
#
# What happens: time is linear in the text with a factor that the pattern chooses. Nested counts
# ("((.{0,31}){0,31})+", 18 characters, well below max_mem) compile to thousands of steps, and one
# look at 8 KB then takes a hundred milliseconds and more, thousands of times as long as a usual
# pattern. `max_mem` does not help while the program fits: where it is too small for the states,
# RE2 goes on without its fast automaton, which is slower, and refuses nothing.
#
# Why it matters: a token may hold a pattern (cdniuc of RFC 9246, catu of CTA-5007) that is compared
# with every request. What bounds the time is the number of steps, `programsize`.
#
# Seen with google-re2 1.1.20251105, CPython 3.11, Linux x86-64, 2026-11-29.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --no-deps google-re2==1.1.20251105

cat > run.py <<'PY'
import time

import re2


def look_s(pattern):
    options = re2.Options()
    options.max_mem = 1 << 20
    options.never_capture = True
    options.log_errors = False
    compiled = re2.compile(pattern, options)
    best = 9.0
    for _ in range(5):
        began = time.process_time()
        compiled.fullmatch("a" * 8190)
        best = min(best, time.process_time() - began)
    return best, compiled.programsize


usual, steps = look_s(r"https?://[^/]+/film/.*")
nested, more = look_s(r"((.{0,31}){0,31})+")
print(f"usual pattern:    {usual * 1e3:9.3f} ms, {steps} steps")
print(f"961 nested counts: {nested * 1e3:8.3f} ms, {more} steps")
raise SystemExit(0 if nested > 20 * max(usual, 1e-4) and more > 5000 else 1)
PY
if venv/bin/python run.py; then
  echo "PASS: a pattern of 18 characters takes RE2 many times as long as a usual one"
else
  echo "CHANGED: RE2 refuses such patterns now, or runs them fast"
  exit 1
fi
