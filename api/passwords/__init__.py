"""Passwords: what a good one is, and how they are hashed."""
