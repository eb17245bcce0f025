"""People, as administrators manage them."""
