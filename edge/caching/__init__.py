"""What HTTP says about reuse: pure decisions over fields, stored responses and a time."""
