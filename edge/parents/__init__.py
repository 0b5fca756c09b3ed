"""Which parent is asked for an object, when another one is, and when none is.

Pure: parents are names, time comes in as ``now_s``. The shell that connects to them is
``edge.server.parents``.
"""
