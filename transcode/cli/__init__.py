"""Commands: transcode, inspect, store."""
