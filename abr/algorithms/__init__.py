"""Algorithms of this distribution, one published idea per file.

They are found like anybody else's: by name, through the entry-point group
``abr.algorithms``; see ``abr.registry``.
"""
