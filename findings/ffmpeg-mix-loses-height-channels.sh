#!/bin/sh
# One would guess: ffmpeg mixes every layout that it has a name for down to stereo, or says
# that it cannot.
#
# What happens: of 7.1.4 the two channels above the back are left out, of 22.2 fifteen, of
# hexadecagonal six. The exit code is 0. Only for 22.2 there is a warning.
#
# Why it matters: whatever is heard in those channels alone is gone from a stereo rendition.
# Mix such layouts with "pan" and the numbers of the channels.
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

# A tone in the channel above the back left alone, number 10 of 12; then in the back left.
level() {
  "$ffmpeg" -v error -f lavfi -i "sine=440:duration=1:sample_rate=48000" \
    -af "pan=7.1.4|$1=c0,aformat=channel_layouts=stereo,astats=measure_perchannel=none:measure_overall=Peak_level:metadata=1,ametadata=mode=print:file=-" \
    -f null - | sed -n 's/.*Peak_level=//p' | tail -n 1
}
top=$(level TBL)
back=$(level BL)
echo "in stereo: above the back left $top dB, back left $back dB"
if [ "$top" = "-inf" ] && [ "$back" != "-inf" ]; then
  echo "PASS: the channel above the back left is lost in stereo, and the exit code is 0"
else
  echo "CHANGED: expected silence for one channel and a tone for the other"
  exit 1
fi
