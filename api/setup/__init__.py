"""The first admin of a new installation."""
