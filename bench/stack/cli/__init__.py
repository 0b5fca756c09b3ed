"""The commands abr serve and abr agree."""
