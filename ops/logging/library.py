"""structlog, loaded without what it would draw tracebacks with: ours are masked text.

Developers' tools bring rich along; loading it is a third of what a process costs to start.
"""

from ops.hiding import hidden

with hidden("rich"):
    import structlog
    from structlog.typing import FilteringBoundLogger

__all__ = ["FilteringBoundLogger", "structlog"]
