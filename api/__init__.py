"""The HTTP front: requests become calls, calls become facts and promises, facts become answers."""
