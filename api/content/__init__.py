"""The documents' protected resource: how to protect one of your own."""
