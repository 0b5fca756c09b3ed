"""Readers of files named by the user: models, policies and traces."""
