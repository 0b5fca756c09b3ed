"""A master file becomes a packaged presentation: an HLS ladder, encrypted on request."""
