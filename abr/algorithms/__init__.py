"""Algorithms of this distribution, one published idea per file.

They are found by name through the entry-point group ``abr.algorithms``, as third-party
algorithms are; see ``abr.registry``.
"""
