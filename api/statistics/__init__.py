"""Statistics: how many people, sign-ins, sessions and letters, now and on each day."""
