"""What a master file holds: facts that decide how it is encoded; no process is run."""
