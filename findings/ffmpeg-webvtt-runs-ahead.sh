#!/bin/sh
# One would guess: ffmpeg's HLS muxer, which writes a subtitle playlist beside transport
# streams, keeps text and picture in step.
#
# What happens: pictures begin at 1.48 s on the stream's clock (1.4 s of muxer delay, and
# the delay of B-frames), the segments of WebVTT have no X-TIMESTAMP-MAP, and their times are
# shifted by the B-frames' delay alone. A player must then take time 0 of the text for time
# stamp 0 of the media (RFC 8216bis, 3.1.4): text is shown 1.4 s before its picture.
#
# Why it matters: the playlists pass every parser, and players that ignore the rule look right.
# Write the map, X-TIMESTAMP-MAP=MPEGTS:<first time stamp>,LOCAL:00:00:00.000.
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

printf 'WEBVTT\n\n00:00:01.000 --> 00:00:01.500\nHello\n' > text.vtt
"$ffmpeg" -v error -f lavfi -i testsrc2=size=160x90:rate=24:duration=4 -i text.vtt \
  -map 0:v -map 1 -c:v libx264 -preset veryfast -g 48 -c:s webvtt \
  -f hls -hls_time 2 -hls_playlist_type vod -master_pl_name all.m3u8 \
  -var_stream_map v:0,s:0,sgroup:subs v.m3u8
cue=$(grep -h -e '-->' v0.vtt | head -n 1 | cut -d ' ' -f 1)
maps=$(grep -l X-TIMESTAMP-MAP ./*.vtt | wc -l)
# Presentation times of the stream as they are, in units of 1/90000 s: dts, pts, …
"$ffmpeg" -v error -copyts -i v0.ts -map 0:v -c copy -f framecrc frames.txt
first=$(grep -v '^#' frames.txt | cut -d , -f 3 | sort -n | head -n 1 | tr -d ' ')
echo "first picture at $first/90000 s; $maps segments with a map; the cue of 1.000 s is written $cue"
if [ "$first" -gt 120000 ] && [ "$maps" -eq 0 ] && [ "$cue" \< "00:01.200" ]; then
  echo "PASS: pictures begin late, text does not say so"
else
  echo "CHANGED: expected pictures from 1.48 s on and text without a map"
  exit 1
fi
