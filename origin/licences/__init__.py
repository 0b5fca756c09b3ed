"""Licences: which content keys a permission opens, and how they are asked for and given."""
