"""Which rungs a master gets."""
