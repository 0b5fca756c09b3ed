"""What makes a real network slow: a shaping proxy, and the same by the kernel."""
