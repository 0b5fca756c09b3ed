#!/bin/sh
# One would guess: numba's cache on disk (`cache=True`) notices that code has changed and
# compiles again; or at least that touching the caller's file makes it do so.
#
# What happens: only the file of the cached function itself is compared, by a hash of its
# contents. When a jitted function that it calls lives in another module and that module
# changes, a new process loads the old machine code, callee included, and returns the old
# result. Touching the caller's file changes nothing; editing it, if only by a comment, does.
#
# Why it matters: ABR simulators split the session loop and the algorithm into modules.
# Edit the algorithm, run again, and the figures are those of the old algorithm, without
# a warning. Key the cache by the source of everything that was compiled in.
#
# Seen with numba 0.68.1, numpy 2.4.6, CPython 3.11, Linux x86-64, 2026-11-28.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet numba==0.68.1 numpy==2.4.6
export NUMBA_CACHE_DIR="$work/cache"

write_rule() { # result
  printf 'import numba\n\n@numba.njit\ndef choose():\n    return %s\n' "$1" > rule.py
}

cat > loop.py <<'PY'
import numba
from rule import choose

@numba.njit(cache=True)
def play():
    return choose()

print(play())
PY

write_rule 1
before=$(venv/bin/python loop.py)
write_rule 22
stale=$(venv/bin/python loop.py)
sleep 1 # so that the time differs in whole seconds too
touch loop.py
touched=$(venv/bin/python loop.py)
echo "# edited" >> loop.py
edited=$(venv/bin/python loop.py)

echo "callee returns 1: caller returns $before"
echo "callee changed to 22, new process: caller returns $stale"
echo "caller's file touched, new process: caller returns $touched"
echo "caller's file edited, new process: caller returns $edited"
if [ "$before $stale $touched $edited" = "1 1 1 22" ]; then
  echo "PASS: the cached caller kept the old callee until its own file was edited"
else
  echo "CHANGED: expected 1, 1, 1, 22"
  exit 1
fi
