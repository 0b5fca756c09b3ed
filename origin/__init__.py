"""Authority for objects, keys and permission: tokens, HTTP rules and the origin server.

``tokens``, ``jwks``, ``paths``, ``httprules`` and ``config`` decide and perform no I/O;
``store``, ``httpserver``, ``app`` and ``cli`` act.
"""
