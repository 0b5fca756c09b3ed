"""The playback service: who may watch what, on how many screens, and what a player needs for it."""
