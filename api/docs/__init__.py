"""The API reference, which works offline."""
