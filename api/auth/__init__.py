"""Registration, sign-in, who am I."""
