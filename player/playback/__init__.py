"""One playback as a state machine without I/O, which every driver drives alike."""
