"""Shells: a browser driven, players fetched."""
