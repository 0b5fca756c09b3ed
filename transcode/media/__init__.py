"""Media as bytes: boxes, fragments, codec names, slices."""
