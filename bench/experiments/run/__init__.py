"""The running of experiments: load what a plan names, play it, in many workers."""
