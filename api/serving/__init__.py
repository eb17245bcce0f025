"""One bound socket, many processes: the master holds it, its children answer on it."""
