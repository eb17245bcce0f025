"""Effects on the world: what was promised is done here, once, whatever dies meanwhile."""
