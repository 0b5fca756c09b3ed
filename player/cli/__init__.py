"""The commands that play: over HTTP, on a virtual clock, from a log."""
