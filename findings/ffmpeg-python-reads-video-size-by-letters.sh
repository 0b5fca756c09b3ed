#!/bin/sh
# One would guess: ffmpeg.input(..., video_size="16x10") gives ffmpeg the option -video_size 16x10,
# as every other keyword is passed on as it is.
#
# What happens: ffmpeg-python takes video_size for a pair and prints its first two items, which of a
# text are its first two letters: -video_size 1x6. The keyword s is passed on as it is.
#
# Why it matters: raw video has no size of its own, so nothing complains. The same bytes are read as
# frames of another size, and more of them: three pictures of 16x10 come in as sixty of 1x6.
#
# Seen with ffmpeg-python 0.2.0, Python 3.11, Linux x86-64, 2026-11-29.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet ffmpeg-python==0.2.0
if venv/bin/python - <<'PY'
import sys

import ffmpeg


def command(**options):
    source = ffmpeg.input("pipe:0", format="rawvideo", pix_fmt="yuv420p", **options)
    return ffmpeg.output(source, "out.mp4").compile()


text, pair, short = command(video_size="16x10"), command(video_size=(16, 10)), command(s="16x10")
print("video_size='16x10':", text[text.index("-video_size") + 1])
print("video_size=(16, 10):", pair[pair.index("-video_size") + 1])
print("s='16x10':", short[short.index("-s") + 1])
as_seen = "1x6" in text and "16x10" in pair and "16x10" in short
sys.exit(0 if as_seen else 1)
PY
then
  echo "PASS: a size as text is read by its letters"
else
  echo "CHANGED: expected -video_size 1x6"
  exit 1
fi
