"""python -m api: serve until told to stop; `admin create`: the first admin; `docs`: the files."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from ops.settings import Settings
from ops.start import run_process


def main() -> int:
    """Run one command; exit 0 on success, 1 on failure, 78 on wrong settings."""
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="answer requests (the default)")
    admin = commands.add_parser("admin", help="make the first admin")
    admin.add_argument("what", choices=["create"])
    admin.add_argument("--json", action="store_true")
    admin.add_argument(
        "--wait", type=float, default=0, metavar="SECONDS", help="for a database that is away"
    )
    commands.add_parser("docs", help="write docs/ERRORS.md and docs/openapi.json")
    args = parser.parse_args()
    if args.command == "docs":
        return _write_docs()
    if args.command == "admin":
        return run_process("admin", lambda settings, _: _admin(settings, args))
    return run_process("web", _serve)


def _serve(settings: Settings, name: str) -> int:
    # The master stays small: what only its children need is not even imported.
    from api.serving.listener import CannotListen  # noqa: PLC0415
    from api.serving.master import Master  # noqa: PLC0415

    try:
        return Master(settings, name).run()
    except CannotListen as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _admin(settings: Settings, args: argparse.Namespace) -> int:
    from api.setup.command import ensure_admin  # noqa: PLC0415

    found = asyncio.run(ensure_admin(settings, wait_seconds=args.wait))
    print(json.dumps(found) if args.json else found["text"])
    return 0 if found["ok"] else 1


def _write_docs() -> int:
    from api.docs.files import files  # noqa: PLC0415

    for name, text in files().items():
        Path("docs", name).write_text(text, encoding="utf-8")
        print(f"docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
