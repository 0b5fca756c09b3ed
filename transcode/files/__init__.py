"""Packages and content keys on disk."""
