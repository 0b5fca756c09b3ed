"""Finding out whose a captured copy is: the command, and the sessions it may be of."""
