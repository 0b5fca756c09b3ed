#!/bin/sh
# One would guess: when ffmpeg turns SubRip into WebVTT, text stays text. WebVTT needs & and <
# escaped (W3C WebVTT, 4.2.2), and "-->" must not stand in a cue's text.
#
# What happens: the text is copied as it is. What looks like a tag is not shown by readers that
# keep to the standard, and a line with "-->" ends its cue and is read as times, so
# "Turn left --> exit" vanishes. A place such as {\an8} (top of the picture) is dropped.
#
# Why it matters: the usual way to make subtitles for HLS loses lines without a word; the
# exit code is 0 and the log is empty.
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

cat > film.srt <<'SRT'
1
00:00:01,000 --> 00:00:02,000
R&D <3

2
00:00:03,000 --> 00:00:04,000
The sign says
Turn left --> exit

3
00:00:05,000 --> 00:00:06,000
{\an8}At the top
SRT
"$ffmpeg" -v warning -i film.srt film.vtt 2> log.txt
cat film.vtt
settings=$(grep -c 'line:' film.vtt || true)
echo "log: $(wc -c < log.txt) bytes"
if grep -q 'R&D <3' film.vtt && grep -q '^Turn left --> exit' film.vtt && [ "$settings" = 0 ] \
  && [ ! -s log.txt ]; then
  echo "PASS: & and < and an arrow are written as they were, the place is gone"
else
  echo "CHANGED: expected text that is not escaped, and no place"
  exit 1
fi
