#!/bin/sh
# One would guess: `DataFrame.convert_dtypes()` keeps the kind of a column and only makes it
# able to miss values, so that seconds stay `Float64` and counts, which pandas has made
# floats of because one was missing, become `Int64` again.
#
# What happens: a column of floats whose values all happen to be whole becomes `Int64` too,
# whatever it was made of. The same column of the next file, with one fraction in it, is
# `Float64`.
#
# Why it matters: the type of a column then says what was measured, not what it is. Sizes in
# bytes that were counted as floats, start times that were all 0.0 and stalls of whole seconds
# change type from log to log, and files written from such frames do not fit together. Give
# each column its type by name, or by the types of the values before pandas sees them, as
# `abr.logtable.data_frame` does.
#
# Seen with pandas 3.1.1, numpy 2.4.6, CPython 3.11, 2026-11-29.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet pandas==3.1.1 numpy==2.4.6

cat > columns.py <<'PY'
import pandas

found = []
for second_s in (2.0, 2.5):
    frame = pandas.DataFrame([{"stall_s": 1.0, "rung": 1}, {"stall_s": second_s, "rung": None}])
    types = frame.convert_dtypes().dtypes
    found.append((str(types["stall_s"]), str(types["rung"])))
    print(f"stalls of 1.0 and {second_s} s: {found[-1][0]}; rungs 1 and none: {found[-1][1]}")
raise SystemExit(0 if found == [("Int64", "Int64"), ("Float64", "Int64")] else 1)
PY

if venv/bin/python columns.py; then
  echo "PASS: seconds are Int64 in one frame and Float64 in the other"
else
  echo "CHANGED: expected stalls of whole seconds to become Int64 and others Float64"
  exit 1
fi
