"""Objects by key, and how a published title is laid out in them."""
