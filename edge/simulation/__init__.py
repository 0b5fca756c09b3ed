"""The cache index over request logs instead of HTTP, and logs to run it over."""
