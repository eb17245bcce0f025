"""redis-py, loaded without OpenTelemetry's metrics: ours are Prometheus's.

It would load them wherever the package is installed: a third of what a process costs to start.
"""

from ops.hiding import hidden

with hidden("opentelemetry"):
    import redis
    import redis.asyncio.retry
    import redis.backoff

__all__ = ["redis"]
