#!/bin/sh
# One would guess: -discard nokey reads key frames only, at their own times, from any container.
#
# What happens: from MP4 with B-frames it gives the key frames of 0, 1, 2 and 3 s the times 0, 1.04,
# 1.96 and 3 s; from Matroska and transport streams it discards nothing. -skip_frame nokey, which
# the decoder obeys, is right in all three.
#
# Why it matters: it is the fast way to thumbnails and to lists of key frames. A list made with it
# is off by up to the delay of B-frames, in one container only.
#
# Seen with imageio-ffmpeg 0.8.1 (ffmpeg 9.0.2), Linux x86-64, 2026-11-28.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet imageio-ffmpeg==0.8.1
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -version | head -n 1

"$ffmpeg" -v error -f lavfi -i testsrc2=size=192x108:rate=25:duration=4 \
  -c:v libx264 -preset veryfast -g 25 -bf 3 film.mp4
"$ffmpeg" -v error -i film.mp4 -c copy film.mkv
shown() {
  "$ffmpeg" -hide_banner -nostdin "$1" nokey -i "$2" -vf showinfo -fps_mode passthrough \
    -f null - 2>&1 | sed -n 's/.*pts_time:\([0-9.]*\).*/\1/p' | tr '\n' ' '
}
skipped=$(shown -skip_frame film.mp4)
discarded=$(shown -discard film.mp4)
matroska=$(shown -discard film.mkv | wc -w)
echo "MP4: -skip_frame $skipped; -discard $discarded; Matroska: -discard leaves $matroska frames"
if [ "$skipped" = "0 1 2 3 " ] && [ "$discarded" != "0 1 2 3 " ] && [ "$matroska" -eq 100 ]; then
  echo "PASS: -discard nokey gives other times from MP4, and discards nothing from Matroska"
else
  echo "CHANGED: expected 0 1 2 3 by -skip_frame, other times by -discard, 100 frames from Matroska"
  exit 1
fi
