"""Our own player as a loop of scalars, for the compiled engine."""
