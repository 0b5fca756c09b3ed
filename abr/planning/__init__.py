"""The best plan of rungs over a network that is known beforehand.

``model`` says how a plan is played and what it scores, ``plans`` which of many plans are
worth keeping, ``outlook`` what a plan can still gain at most, and ``search`` finds the best
and bounds all others. Plain functions over numbers and arrays, so that they can be compiled.
"""
