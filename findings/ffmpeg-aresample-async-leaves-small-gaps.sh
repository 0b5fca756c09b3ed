#!/bin/sh
# One would guess: aresample=async=1 fills gaps with silence, so that sound stays where its time
# stamps say.
#
# What happens: gaps up to 0.1 s (min_hard_comp) are left, and what follows them comes early by as
# much, until they add up to more. A gap of 90 ms shifts all that follows by 90 ms for good.
#
# Why it matters: async=1 is what one adds against lost sound. Broadcasters let sound lead its
# picture by 15 ms (ATSC IS/191). Give the bound: aresample=async=1:min_hard_comp=0.01.
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

# Two seconds of sound, the second of them late by a gap; samples that come out.
samples() {
  bytes=$("$ffmpeg" -v error -f lavfi -i sine=sample_rate=48000:duration=2 \
    -af "asetpts=PTS+gte(T\,1)*$1/TB,aresample=$2" -f s16le - | wc -c)
  echo $((bytes / 2))
}
small=$(samples 0.09 async=1)
large=$(samples 0.15 async=1)
bound=$(samples 0.09 async=1:min_hard_comp=0.01)
echo "samples: gap of 90 ms $small, of 150 ms $large; 90 ms with a bound of 10 ms $bound"
if [ "$small" -eq 96000 ] && [ "$large" -gt 102500 ] && [ "$bound" -gt 100000 ]; then
  echo "PASS: a gap of 90 ms is not filled"
else
  echo "CHANGED: expected 96000, about 103200 and about 100320 samples"
  exit 1
fi
