"""The whole service under a steady load for a long time, looked at from outside."""
