"""make soak: the service under load for SOAK_MINUTES, looked at every ten seconds."""

import asyncio
import os
import sys

from tests.chaos.soak.run import soak


def main() -> int:
    """Print what grew; return 1 when something grew beyond its bound."""
    minutes = float(os.environ.get("SOAK_MINUTES", "30"))
    report = asyncio.run(soak(seconds=minutes * 60, every=10, rate=20))
    sys.stdout.write(f"{report.table}\n")
    for complaint in report.complaints:
        sys.stdout.write(f"TOO MUCH: {complaint}\n")
    return 1 if report.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
