"""A master file becomes a packaged presentation: an HLS ladder, sealed on request."""
