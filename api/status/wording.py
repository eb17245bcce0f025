"""How the page says numbers: short, in units that people read."""

from collections.abc import Callable, Mapping

_KIB = 1024.0
_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0
# From here on a fraction tells nothing.
_MANY = 100.0


def plain(value: float) -> str:
    """Return 0, 0.25, 3.2, 120 or 12,000."""
    if value >= _MANY or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2g}" if value < 1 else f"{value:.1f}"


def share(value: float) -> str:
    """Return a ratio as a percentage."""
    return f"{plain(round(value * 100, 2))} %"


def duration(value: float) -> str:
    """Return seconds as 8 ms, 1.2 s, 4 min, 3 h or 2 days."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 2 * _MINUTE:
        return f"{plain(value)} s"
    if value < 2 * _HOUR:
        return f"{value / _MINUTE:.0f} min"
    if value < 2 * _DAY:
        return f"{value / _HOUR:.0f} h"
    return f"{value / _DAY:.0f} days"


def size(value: float) -> str:
    """Return bytes as MiB, or GiB from two of them on."""
    mebibytes = value / _KIB**2
    if mebibytes < 2 * _KIB:
        return f"{mebibytes:.0f} MiB"
    return f"{mebibytes / _KIB:.1f} GiB"


UNITS: Mapping[str, Callable[[float], str]] = {
    "count": plain,
    "per second": lambda value: f"{plain(value)}/s",
    "per minute": lambda value: f"{plain(value)}/min",
    "ratio": share,
    "seconds": duration,
    "bytes": size,
}


def shown(value: float | None, unit: str) -> str:
    """Return a value with its unit; a dash where there is none."""
    return "-" if value is None else UNITS[unit](value)
