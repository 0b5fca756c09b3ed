"""A cache tier: what is held, fetched once, checked and served near the viewer."""
