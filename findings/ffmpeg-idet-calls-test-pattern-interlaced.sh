#!/bin/sh
# One would guess: ffmpeg's idet tells interlaced pictures from progressive ones, at the least for
# ffmpeg's own moving test pattern.
#
# What happens: it calls most pictures of testsrc2 interlaced, top field first. A part of that
# pattern moves by about a line in each picture, and idet compares sums over whole pictures: the
# lines of one picture then fit those of the next one better on one side, by more than its
# threshold of 4 %. Whether the picture itself fits best is asked afterwards only.
#
# Why it matters: who deinterlaces what idet calls interlaced spoils whole pictures. Let blocks of
# the picture vote, ask first whether the two fields of one picture fit, and leave it to the flags
# where blocks do not agree.
#
# Seen with imageio-ffmpeg 0.8.1 (ffmpeg 9.0.2), and 8.1.2 as well, Linux x86-64, 2026-11-28.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet imageio-ffmpeg==0.8.1
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -version | head -n 1

set -- $("$ffmpeg" -hide_banner -nostats -f lavfi -i testsrc2=size=320x192:rate=25:duration=2 \
  -vf format=yuv420p,idet -f null - 2>&1 \
  | sed -n 's/.*Multi frame detection: TFF: *\([0-9]*\).*Progressive: *\([0-9]*\).*/\1 \2/p' \
  | tail -n 1)
echo "of 50 pictures, $1 are called interlaced and $2 progressive"
if [ "$1" -ge 35 ] && [ "$2" -le 15 ]; then
  echo "PASS: the progressive test pattern is called interlaced"
else
  echo "CHANGED: expected 35 or more to be called interlaced"
  exit 1
fi
