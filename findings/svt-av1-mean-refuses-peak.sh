#!/bin/sh
# One would guess: -maxrate and -bufsize limit the peaks of a mean bit rate (-b:v), as they do
# with x264 and x265.
#
# What happens: SVT-AV1 4.2 takes a peak with constant quality (-crf) only and refuses it with a
# mean. And it refuses any mean for pictures of fewer than 64 lines, with words about adaptive
# quantization.
#
# Why it matters: one set of rate options does not serve a ladder of several codecs. Use
# constant quality under a cap, or maxsection-pct, which is a wish and no limit.
#
# Seen with imageio-ffmpeg 0.8.1 (ffmpeg 9.0.2, SVT-AV1 4.2.0), Linux x86-64, 2026-11-28.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet imageio-ffmpeg==0.8.1
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -version | head -n 1

encode() {
  size=$1
  shift
  "$ffmpeg" -v error -f lavfi -i "testsrc2=size=$size:rate=25:duration=1" \
    -c:v libsvtav1 -preset 11 "$@" -f null - > log 2>&1 && echo taken || echo refused
}
peak=$(encode 192x108 -b:v 200k -maxrate 300k -bufsize 200k)
mean=$(encode 192x108 -b:v 200k)
small=$(encode 96x54 -b:v 60k)
quality=$(encode 96x54 -crf 40 -maxrate 90k -bufsize 60k)
echo "a mean with a peak: $peak; a mean: $mean; of 54 lines: $small; quality with a peak: $quality"
if [ "$peak $mean $small $quality" = "refused taken refused taken" ]; then
  echo "PASS: a mean takes no peak, and few lines take no mean; constant quality takes both"
else
  echo "CHANGED: expected refused, taken, refused, taken"
  exit 1
fi
