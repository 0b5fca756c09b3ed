#!/bin/sh
# One would guess: with a key info file of two lines (URI and file, no IV), ffmpeg's HLS muxer
# leaves IV out of EXT-X-KEY, so that each segment's media sequence number is its vector
# (RFC 8216bis, 4.4.4.4), or writes another IV for each.
#
# What happens: it writes one EXT-X-KEY with IV=0x00000000000000000000000000000000, which holds
# for every segment: all are encrypted with one key and one vector.
#
# Why it matters: AES-CBC under a repeated key and vector shows which segments begin with the
# same blocks. A checker of packages should say so; a packager should leave IV out. (A third line
# in the key info file sets another vector, but again one for all segments of a key.)
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

printf '0123456789abcdef' > key.bin
printf 'key.bin\nkey.bin\n' > keys.txt
"$ffmpeg" -v error -f lavfi -i testsrc2=size=160x90:rate=10:duration=6 \
  -c:v libx264 -preset ultrafast -g 20 -keyint_min 20 -sc_threshold 0 \
  -f hls -hls_time 2 -hls_playlist_type vod -hls_key_info_file keys.txt \
  -hls_segment_filename %d.ts all.m3u8
grep EXT-X-KEY all.m3u8

keys=$(grep -c '^#EXT-X-KEY' all.m3u8)
zeros=$(grep -c 'IV=0x00000000000000000000000000000000' all.m3u8 || true)
echo "$keys key line(s) for $(grep -c '^#EXTINF' all.m3u8) segments, $zeros with a vector of zeros"
if [ "$keys" = 1 ] && [ "$zeros" = 1 ]; then
  echo "PASS: one vector of zeros for all segments"
else
  echo "CHANGED: expected one EXT-X-KEY with a vector of zeros"
  exit 1
fi
