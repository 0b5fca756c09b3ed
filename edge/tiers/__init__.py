"""The tree of caches: who stands where, who is alive, and where a viewer is sent.

Pure: registrations and measurements come in with ``now_s``. The shell is
``edge.server.director``.
"""
