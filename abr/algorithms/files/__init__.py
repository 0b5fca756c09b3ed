"""Algorithms that read a file when they are made."""
