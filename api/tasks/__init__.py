"""Periodic tasks: how they stand, and one done now."""
