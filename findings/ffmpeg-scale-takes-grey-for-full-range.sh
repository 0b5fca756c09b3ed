#!/bin/sh
# One would guess: the filter scale believes what frames say of their range, so grey pictures of
# limited range keep their code values on the way to yuv420p of limited range.
#
# What happens: it takes every grey format for full range, whatever the frames say, so black at 16
# becomes 30 and white at 235 becomes 218.
#
# Why it matters: grey masters of limited range, as video equipment makes them, lose a seventh of
# their contrast without a word. Mark them as full range on both sides of the filter, and as
# limited again behind it.
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

# 2x2 pictures, all black or all white, of limited range.
luma() {
  head -c 4 /dev/zero | tr '\000' "$1" | "$ffmpeg" -v error -f rawvideo -pix_fmt gray -s 2x2 \
    -i - -vf "$2" -f rawvideo - | od -An -tu1 -N1 | tr -d ' '
}
plain='setparams=range=tv,scale=out_range=tv,format=yuv420p'
marked='setparams=range=pc,scale=out_range=pc,format=yuv420p,setparams=range=tv'
black=$(luma '\020' "$plain")
white=$(luma '\353' "$plain")
kept=$(luma '\020' "$marked")
echo "16 becomes $black, 235 becomes $white; marked as full on both sides, 16 becomes $kept"
if [ "$black" -ge 29 ] && [ "$white" -le 219 ] && [ "$kept" = 16 ]; then
  echo "PASS: limited grey is compressed once more"
else
  echo "CHANGED: expected about 30, about 218 and 16"
  exit 1
fi
