"""Letters to look at, in development."""
