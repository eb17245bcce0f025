"""Queues and jobs, for administrators."""
