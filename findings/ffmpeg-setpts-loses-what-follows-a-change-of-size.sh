#!/bin/sh
# One would guess: setpts=PTS-STARTPTS moves a file to time 0 and keeps all its pictures.
#
# What happens: where the size of the pictures changes inside the file, the filter graph is built
# again and STARTPTS is taken again. Pictures behind the change get the times of those before it,
# and the output drops them: 25 of 50 pictures and half the length are lost, with exit code 0.
# fps=start_time=0 and setpts=N/.../TB start again in the same way.
#
# Why it matters: the expression stands in most recipes for trimming and joining, and joined
# recordings change size. Leave it out where a whole file is read, which ffmpeg moves to time 0
# itself, and compare the number of pictures and the length afterwards.
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

for size in 192x108 96x54; do
  "$ffmpeg" -v error -f lavfi -i testsrc2=size=$size:rate=25:duration=1 \
    -c:v libx264 -preset ultrafast -bf 0 -f h264 $size.h264
done
cat 192x108.h264 96x54.h264 > both.h264
"$ffmpeg" -v error -r 25 -i both.h264 -c copy both.mkv

pictures() {
  "$ffmpeg" -v error -i both.mkv -vf "$1" -c:v libx264 -preset ultrafast -y out.mp4
  "$ffmpeg" -v error -i out.mp4 -fps_mode passthrough -f framecrc - | grep -c -v '^#'
}
plain=$(pictures scale=96:54)
moved=$(pictures setpts=PTS-STARTPTS,scale=96:54)
echo "pictures: $plain without setpts, $moved with setpts=PTS-STARTPTS"
if [ "$plain" -ge 50 ] && [ "$moved" -le 30 ]; then
  echo "PASS: what follows the change of size is lost"
else
  echo "CHANGED: expected 50 pictures without setpts and about 26 with it"
  exit 1
fi
