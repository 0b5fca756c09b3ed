"""Encoders: their options, and the limits of their formats."""
