#!/bin/sh
# One would guess: join=inputs=6:channel_layout=5.1 puts six mono streams into the channels of
# 5.1 in their order.
#
# What happens: the only channel of every mono stream is called FC, so the first stream goes to
# the centre because the names match, and the others take what is left: the second becomes the
# left and the third the right. Two streams joined to stereo come in order, so a test with two
# does not show it.
#
# Why it matters: broadcast files have 5.1 as six mono tracks. Without "map" dialogue, which is
# on the third, comes from the right. Say map=0.0-FL|1.0-FR|2.0-FC|3.0-LFE|4.0-BL|5.0-BR.
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

# Six mono streams; only the first is not silent. Which channel of 5.1 has it?
loud() {
  "$ffmpeg" -v error -f lavfi -i "sine=440:duration=1" \
    $(for _ in 1 2 3 4 5; do echo "-f lavfi -i anullsrc=channel_layout=mono:duration=1"; done) \
    -filter_complex "[0][1][2][3][4][5]join=inputs=6:channel_layout=5.1$1,pan=mono|c0=$2,astats=measure_perchannel=none:measure_overall=Peak_level:metadata=1,ametadata=mode=print:file=-" \
    -f null - | sed -n 's/.*Peak_level=//p' | tail -n 1
}
left=$(loud "" FL)
centre=$(loud "" FC)
mapped=$(loud ":map=0.0-FL|1.0-FR|2.0-FC|3.0-LFE|4.0-BL|5.0-BR" FL)
echo "first stream, without a map: left $left dB, centre $centre dB; with a map: left $mapped dB"
if [ "$left" = "-inf" ] && [ "$centre" != "-inf" ] && [ "$mapped" != "-inf" ]; then
  echo "PASS: the first of six mono streams becomes the centre, not the left"
else
  echo "CHANGED: expected the first stream in the centre, and on the left with a map"
  exit 1
fi
