"""Where Prometheus finds the processes."""
