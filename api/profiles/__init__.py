"""What people tell of themselves."""
