"""python -m workers.check: tell `doctor` whether letters can leave."""

import argparse
import asyncio
import dataclasses
import json
import sys

from ops.settings import Settings, SettingsInvalid, load
from ops.start import EX_CONFIG
from storage.check import Finding
from workers.mailer import SmtpMailer
from workers.outcomes import ServerAway


async def check(settings: Settings) -> list[Finding]:
    """Look at the way letters leave."""
    if not settings.smtp_url:
        seen = f"kept as files in {settings.home / 'mail'}"
        return [Finding("letters", ok=True, seen=seen, cure="set SMTP_URL to send them")]
    try:
        await SmtpMailer(settings.smtp_url).probe()
    except ServerAway as error:
        return [Finding("letters", ok=False, seen=str(error), cure="check SMTP_URL")]
    return [Finding("letters", ok=True, seen="the SMTP server takes our sign-in")]


def main() -> int:
    """Print the findings; exit 0 when all is well, 1 when not, 78 on wrong settings."""
    parser = argparse.ArgumentParser(prog="python -m workers.check", description=__doc__)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        settings = load()
    except SettingsInvalid as error:
        print(error, file=sys.stderr)  # noqa: T201
        return EX_CONFIG
    findings = asyncio.run(check(settings))
    if args.json:
        print(json.dumps([dataclasses.asdict(item) for item in findings]))  # noqa: T201
    else:
        for item in findings:
            print(f"{item.name}: {item.seen}")  # noqa: T201
    return 0 if all(item.ok for item in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
