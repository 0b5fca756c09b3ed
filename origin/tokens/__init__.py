"""Tokens: permission to fetch, as signed text; every form of it behind one interface."""
