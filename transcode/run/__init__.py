"""The work of a transcode: find ffmpeg, ask it, run it, and put a package in place."""
