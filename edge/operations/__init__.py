"""Operating an edge: reloading its settings, its access log, what players report, prefetching."""
