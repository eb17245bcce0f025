"""Names of devices: short, harmless, quickly found."""

import subprocess
import sys
import time

import pytest

from ops.agents import name_of

_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_LINUX = f"Mozilla/5.0 (X11; Linux x86_64) {_WEBKIT} Chrome/140.0.0.0 Safari/537.36"
_SAFARI = "Version/17.0 Mobile/15E148 Safari/604.1"
_PHONE = f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) {_WEBKIT} {_SAFARI}"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (_LINUX, "Chrome on Linux"),
        (_PHONE, "Mobile Safari on iOS"),
        ("curl/8.4.0", "curl"),
        ("", "Unknown device"),
        ("x", "Unknown device"),
        ("\u202e\r\n\x00", "Unknown device"),
    ],
)
def test_a_device_is_named_by_program_and_system(agent: str, name: str) -> None:
    assert name_of(agent) == name


@pytest.mark.parametrize(
    "agent",
    [
        "a" * 10_000,
        "Mozilla/5.0 " + "(" * 10_000,
        "Mozilla/5.0 (Linux; Android 4" + ";x" * 5_000,
        "1." * 5_000,
        " " * 10_000,
        "Version/" * 2_000,
        "\u202eChrome/1.0 " * 1_000,
        "Firefox\u2066/" + "9" * 10_000,
    ],
)
def test_hostile_agents_are_named_quickly_and_shortly(agent: str) -> None:
    name_of("curl/8.4.0")  # the patterns are read once
    started = time.process_time()

    name = name_of(agent)

    assert time.process_time() - started < 1
    assert 0 < len(name) <= 60
    assert name.isprintable()
    assert not set(name) & {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}


def test_only_whoever_names_devices_pays_for_the_parser() -> None:
    program = "import sys, ops.agents; print('ua_parser' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "False"
