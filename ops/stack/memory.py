"""How much memory there is for us, and how much of it PostgreSQL keeps pages in."""

import os
from collections.abc import Iterator
from pathlib import Path

# A page is taken when it is first needed: few people take little. What a million are listed and
# searched by fits into a gigabyte.
_SHARE = 8
_LEAST, _MOST = 64, 1_024

_OWN_GROUPS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def shared_buffers(memory: int) -> str:
    """Return PostgreSQL's setting of that name: an eighth of so many MB, 64 MB to 1 GB."""
    return f"{min(max(memory // _SHARE, _LEAST), _MOST)}MB"


def megabytes(own: Path = _OWN_GROUPS, groups: Path = _GROUPS) -> int:
    """Return the memory of the machine, or what our container or service may have of it."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_limits(own, groups)]) >> 20


def _limits(own: Path, groups: Path) -> Iterator[int]:
    """Yield the limits in bytes of our control group and of those around it (cgroups(7))."""
    for line in _read(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root, name = groups, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = groups / "memory", "memory.limit_in_bytes"
        else:
            continue
        # A container is shown the host's names, of which it has the root only.
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            limit = _read(folder / name).strip()
            if limit.isdigit():
                yield int(limit)


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
