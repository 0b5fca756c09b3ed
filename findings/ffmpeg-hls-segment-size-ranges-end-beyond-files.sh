#!/bin/sh
# One would guess: -hls_segment_size N starts a new file after N bytes and lists byte ranges that
# are in the files.
#
# What happens: the length of every range is the size of its file up to there, not that of the
# segment: the second range of each file ends beyond its end, by as much as the first is long.
#
# Why it matters: the playlist has every tag in its place and parses. A server answers such a range
# with what there is, players refuse or stall, and sums of ranges count bytes twice. Compare ranges
# with sizes of files before publishing, or use -hls_flags single_file, whose ranges are right.
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

list() {
  "$ffmpeg" -v error -f lavfi -i testsrc2=size=192x108:rate=25:duration=4 -c:v libx264 \
    -preset ultrafast -g 25 -b:v 150k -hls_time 1 -hls_playlist_type vod "$@" -f hls "$name.m3u8"
  # Ranges that end beyond the file named on the line after them.
  sed -n -e 's/#EXT-X-BYTERANGE://p; t' -e '/^[^#]/p' "$name.m3u8" | paste - - | {
    wrong=0
    while read -r range file; do
      [ $((${range%@*} + ${range#*@})) -le "$(wc -c < "$file")" ] || wrong=$((wrong + 1))
    done
    echo "$wrong"
  }
}
name=limited; limited=$(list -hls_segment_size 40000)
name=single; single=$(list -hls_flags single_file)
grep BYTERANGE limited.m3u8
echo "ranges beyond their file: $limited with -hls_segment_size, $single with single_file"
if [ "$limited" -ge 1 ] && [ "$single" -eq 0 ]; then
  echo "PASS: ranges end beyond their files"
else
  echo "CHANGED: expected ranges beyond their files with -hls_segment_size alone"
  exit 1
fi
