"""A real browser's player, measured: its record, and how far ours is from it."""
