#!/bin/sh
# One would guess: of a master with mastering display and content light metadata, every output of
# a filter graph states them, and one that was tone-mapped to BT.709 does not.
#
# What happens: one encoder of the graph takes them, whichever opens first; the others say nothing.
# Tone mapping does not take them away, so a BT.709 output states the light of its PQ master.
#
# Why it matters: a ladder in one ffmpeg has one rung with HDR10 metadata and others without,
# or an SDR rung with it. Delete side data on every branch (filter sidedata=mode=delete) and
# give each encoder the values (x265 master-display and max-cll, SVT-AV1 mastering-display).
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

quiet=log-level=error:pools=none:frame-threads=1
light='G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)'
tags=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv
"$ffmpeg" -v error -f lavfi \
  -i "testsrc2=size=192x108:rate=25:duration=0.4,format=yuv420p10le,setparams=$tags" \
  -c:v libx265 -preset ultrafast \
  -x265-params "$quiet:hdr10=1:master-display=$light:max-cll=1000,400" master.mp4

map='zscale=transfer=linear:npl=100,format=gbrpf32le,zscale=primaries=bt709,tonemap=hable'
map="$map,zscale=transfer=bt709:matrix=bt709:range=tv,format=yuv420p"
"$ffmpeg" -v error -i master.mp4 -filter_complex "[0:v]split=3[a][b][c];[a]$map[sdr]" \
  -map '[sdr]' -c:v libx264 -preset ultrafast sdr.mp4 \
  -map '[b]' -c:v libx265 -preset ultrafast -x265-params "$quiet" one.mp4 \
  -map '[c]' -c:v libx265 -preset ultrafast -x265-params "$quiet" two.mp4

states() {
  "$ffmpeg" -hide_banner -i "$1" -vf showinfo -f null - 2>&1 \
    | grep -c 'side data - Mastering display' || true
}
"$ffmpeg" -v error -i master.mp4 -vf "$map" -c:v libx264 -preset ultrafast alone.mp4
alone=$(states alone.mp4)
sdr=$(states sdr.mp4)
one=$(states one.mp4)
two=$(states two.mp4)
echo "frames of 10 that state the mastering display: SDR $sdr, PQ $one and $two; SDR alone $alone"
if [ $((sdr + one + two)) = 10 ] && [ "$alone" = 10 ]; then
  echo "PASS: one output of three has the metadata, and a tone-mapped one keeps them"
else
  echo "CHANGED: expected 10 in all of the first three, and 10 of the last"
  exit 1
fi
