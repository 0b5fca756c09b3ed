"""The HTTP side of a cache tier."""
