"""Network traces as tables, pictures and files."""
