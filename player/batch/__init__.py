"""Many sessions in one loop: models of players and networks, a module each.

A simulator is a core module of plain functions over the named tuples of ``tables``. Its
``session(params, state, presentation, link, options, out)`` plays one session and asks the
names ``choose``, ``reconsider``, ``delivered`` and ``waited`` of its own module, which
``player.batch.run.compiled.specialise`` binds to those of an algorithm. The same source runs
as plain Python and compiled, so it keeps to what an algorithm may use; see ``abr.decision``.
"""
