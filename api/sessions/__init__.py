"""Sessions: going on with a refresh token, and ending."""
