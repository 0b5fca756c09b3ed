"""Subtitles: files and streams of text to timed cues, and cues to segments of WebVTT.

Bytes and text only; ``run/texts`` reads files and asks ffmpeg. What cannot be used is listed
as faults with their lines, so that nothing is lost without a word. Our own readers, because
those of ``webvtt-py`` 0.6 and ``pysubs2`` 1.8 leave out what they cannot read in silence.
"""
