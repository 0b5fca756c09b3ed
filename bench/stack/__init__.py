"""Origin and two edge tiers on loopback: in this process, next door, as a command."""
