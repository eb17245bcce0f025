"""The page at the root: where everything is."""
