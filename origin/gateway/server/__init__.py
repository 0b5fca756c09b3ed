"""Shells of the playback service: its web application, its state, what it asks."""
