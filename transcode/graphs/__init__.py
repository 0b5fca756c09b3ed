"""Filter graphs, built with ffmpeg-python: from decoded streams to what encoders take."""
