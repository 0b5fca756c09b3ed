"""A/B watermark: which variant of each segment a session gets, and whose a captured copy is."""
