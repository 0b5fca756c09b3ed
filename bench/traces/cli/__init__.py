"""The command group abr traces."""
