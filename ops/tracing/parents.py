"""The `traceparent` of W3C Trace Context: which trace a step belongs to, and whose child it is."""

import re
from dataclasses import dataclass

_HEADER = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_INVALID_VERSION = "ff"
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class Parent:
    """A span of somebody else, or of ours in another process."""

    trace_id: int
    span_id: int
    sampled: bool = True
    # Whether it is a step of another process.
    remote: bool = True

    @property
    def header(self) -> str:
        """The value that `read_parent` reads."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{int(self.sampled):02x}"


def read_parent(header: str | None) -> Parent | None:
    """Return what a header says, None where it breaks the standard's rules (section 3.2)."""
    found = _HEADER.fullmatch(header or "")
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == _INVALID_VERSION or (version == "00" and more is not None):
        return None
    if not int(trace_id, 16) or not int(span_id, 16):
        return None
    return Parent(int(trace_id, 16), int(span_id, 16), bool(int(flags, 16) & _SAMPLED))
