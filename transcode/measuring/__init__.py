"""Quality: what is compared with what, scores pooled, trials of a title."""
