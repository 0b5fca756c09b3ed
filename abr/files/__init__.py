"""What is read from disk by name: models, policies, traces."""
