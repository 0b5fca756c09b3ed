#!/bin/sh
# One would guess: EXT-X-TARGETDURATION of a live playlist that ffmpeg writes stays as it is. RFC
# 8216bis, 6.2.1: it MUST NOT change.
#
# What happens: it is that of the segments in the window, so one long segment raises it while it is
# listed, and it falls again once that has left.
#
# Why it matters: a player that keeps the first one asks too often or too late, or holds back too
# little. Take that of the newest version, for the hold-back and for when to ask again.
#
# Seen with imageio-ffmpeg 0.8.1 (ffmpeg 9.0.2), Linux x86-64, 2026-11-29.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet imageio-ffmpeg==0.8.1
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -version | head -n 1

# A key frame every second, but for the times from 6 to 10 s; three segments listed. What is listed
# after so many seconds of the stream is what is listed when it ends there.
target() {
  mkdir "$1"
  "$ffmpeg" -v error -f lavfi -i "testsrc2=s=64x64:r=10:d=$1" -c:v libx264 -g 1000 \
    -sc_threshold 0 -force_key_frames "expr:eq(mod(n,10),0)*(lte(t,6)+gte(t,10))" \
    -f hls -hls_time 1 -hls_list_size 3 -hls_flags omit_endlist "$1/live.m3u8"
  sed -n 's/#EXT-X-TARGETDURATION://p' "$1/live.m3u8"
}
before=$(target 6)
while_listed=$(target 11)
after=$(target 16)
echo "target duration: $before, then $while_listed, then $after"
if [ "$before" -eq 1 ] && [ "$while_listed" -eq 4 ] && [ "$after" -eq 1 ]; then
  echo "PASS: the target duration of a live playlist changes both ways"
else
  echo "CHANGED: expected 1, then 4, then 1"
  exit 1
fi
