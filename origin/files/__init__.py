"""Files that the origin and the tiers read."""
