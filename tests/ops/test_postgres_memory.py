"""PostgreSQL's share of memory: an eighth of what our control group may have."""

from pathlib import Path

import pytest

from ops.stack import Stack
from ops.stack.memory import megabytes, shared_buffers
from tests.ops.stacks import ask, open_room

GIGABYTE = 1 << 30


def grouped(room: Path, own: str, limits: dict[str, str]) -> int:
    """Return what is found where /proc/self/cgroup and /sys/fs/cgroup say this."""
    (room / "own").write_text(own)
    for name, limit in limits.items():
        file = room / "groups" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(limit + "\n")
    return megabytes(room / "own", room / "groups")


def test_without_groups_it_is_the_machines(tmp_path: Path) -> None:
    total = next(
        int(line.split()[1])
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemTotal:")
    )
    assert megabytes(tmp_path / "own", tmp_path / "groups") == total // 1024


def test_the_narrowest_group_counts(tmp_path: Path) -> None:
    limits = {"memory.max": "max", "a/memory.max": str(GIGABYTE), "a/b/memory.max": "max"}
    assert grouped(tmp_path, "0::/a/b\n", limits) == 1024


def test_a_container_sees_its_root_only(tmp_path: Path) -> None:
    limits = {"memory.max": str(GIGABYTE // 2)}
    assert grouped(tmp_path, "0::/system.slice/docker-1.scope\n", limits) == 512


def test_the_first_version_of_groups(tmp_path: Path) -> None:
    own = "9:name=systemd:/\n5:cpu,memory:/a\n3:cpuset:/\n0::/\n"
    limits = {
        "memory/memory.limit_in_bytes": "9223372036854771712",
        "memory/a/memory.limit_in_bytes": str(GIGABYTE // 4),
        "cpuset/memory.limit_in_bytes": "1",
    }
    assert grouped(tmp_path, own, limits) == 256


@pytest.mark.parametrize(
    ("has", "takes"), [(100, "64MB"), (512, "64MB"), (2_048, "256MB"), (65_536, "1024MB")]
)
def test_the_share(has: int, takes: str) -> None:
    assert shared_buffers(has) == takes


def test_postgresql_is_started_with_it() -> None:
    with open_room() as room:
        stack = Stack(room / "home", settings={"fsync": "off"})
        addresses = stack.start()
        try:
            asked = "SELECT setting::int * 8 / 1024 FROM pg_settings WHERE name = 'shared_buffers'"
            found = ask(addresses.database_url, asked)
        finally:
            stack.stop()
    assert f"{found}MB" == shared_buffers(megabytes())
