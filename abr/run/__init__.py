"""Shells that run work elsewhere."""
