#!/bin/sh
# One would guess: a line of ffmpeg's framehash ends with the digest of the packet, as its header
# "#stream#, dts, pts, duration, size, hash" says.
#
# What happens: a packet with side data has more fields behind, "S=1, size, digest" for all of them.
# Packets of MPEG-TS carry such (the stream id), the same of every packet, so the last fields of all
# lines are alike; those of MP4 and Matroska mostly carry none.
#
# Why it matters: whoever compares copies by the last field finds that all packets of a transport
# stream are the same, and none is that of the MP4 it was made from. The sixth field is right.
#
# Seen with ffmpeg 9.0.2 (imageio-ffmpeg 0.8.1), Linux x86-64, 2026-11-29.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet imageio-ffmpeg==0.8.1
FFMPEG=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$FFMPEG" -v error -f lavfi -i testsrc2=size=64x64:rate=25:duration=1 -c:v libx264 film.mp4
"$FFMPEG" -v error -i film.mp4 -c copy film.ts
for name in mp4 ts; do
  "$FFMPEG" -v error -i film.$name -c copy -bsf:v h264_mp4toannexb,filter_units=pass_types=1-5 \
    -f framehash -hash md5 - | grep -v '^#' > $name.txt
  echo "film.$name: $(wc -l < $name.txt) packets," \
    "$(awk -F, '{print $6}' $name.txt | sort -u | wc -l) digests in the sixth field," \
    "$(awk -F, '{print $NF}' $name.txt | sort -u | wc -l) in the last"
  awk -F, '{print $6}' $name.txt | sort > $name.sixth
done
if cmp -s mp4.sixth ts.sixth && [ "$(awk -F, '{print $NF}' ts.txt | sort -u | wc -l)" -eq 1 ]; then
  echo "PASS: the last field of a transport stream is of side data"
else
  echo "CHANGED: expected the same digests in the sixth field, and one in the last"
  exit 1
fi
