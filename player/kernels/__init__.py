"""Loops of whole sessions, one model of player and network per file.

A kernel is a core module of plain functions over the named tuples of ``tables``. Its
``session(params, state, film, link, options, out)`` plays one session and asks the
names ``choose``, ``reconsider``, ``delivered`` and ``waited`` of its own module, which
``player.compiled.specialise`` binds to those of a rule. The same source runs as plain
Python and compiled, so a kernel keeps to what a rule may use; see ``abr.decision``.
"""
