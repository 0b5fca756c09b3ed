#!/bin/sh
# One would guess: a DASH manifest with subtitles as one WebVTT file (an AdaptationSet of
# mimeType text/vtt with a BaseURL, as ISO/IEC 23009-1 has it) plays in ffmpeg; at worst the
# subtitles are left out.
#
# What happens: nothing plays. Since a security fix the reader opens only names that end in a
# list of endings, and ".vtt" is not in it; one refused file ends the whole manifest. With
# -allowed_extensions ALL the same manifest plays, subtitles included.
#
# Why it matters: adding subtitles to a package breaks it for tools built on ffmpeg, and the
# message names a "common multimedia extension" and not the subtitles.
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

"$ffmpeg" -v error -f lavfi -i testsrc2=size=160x90:rate=10:duration=2 \
  -c:v libx264 -preset ultrafast -f dash plain.mpd
printf 'WEBVTT\n\n00:00.500 --> 00:01.500\nHello\n' > subtitles.vtt
sed 's#</Period>#<AdaptationSet contentType="text" mimeType="text/vtt" lang="en">\
<Representation id="text" bandwidth="1000"><BaseURL>subtitles.vtt</BaseURL></Representation>\
</AdaptationSet></Period>#' plain.mpd > text.mpd

frames_of() {
  name=$1
  shift
  "$ffmpeg" -v error "$@" -i "$name" -map 0:v -f framehash -hash md5 - 2> log.txt \
    | grep -vc '^#' || true
}
plain=$(frames_of plain.mpd)
refused=$(frames_of text.mpd)
why=$(head -n 1 log.txt)
allowed=$(frames_of text.mpd -allowed_extensions ALL)
echo "frames: $plain without subtitles, $refused with, $allowed with -allowed_extensions ALL"
echo "message: $why"
if [ "$plain" -ge 20 ] && [ "$refused" = 0 ] && [ "$allowed" = "$plain" ]; then
  echo "PASS: one WebVTT file in a manifest, and ffmpeg plays none of it"
else
  echo "CHANGED: expected 20 frames or so, none, and as many as before"
  exit 1
fi
