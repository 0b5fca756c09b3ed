"""What a package holds: its layout, index, playlists and manifest."""
