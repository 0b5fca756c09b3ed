"""Experiments: plans, their runs, and the files of their results."""
