"""The HTTP side of an origin: its server, and packages in folders."""
