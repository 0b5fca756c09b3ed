"""Drivers: what turns a session's actions into bytes and time, and nothing more."""
