"""Pages for people: forms that work without JavaScript."""
