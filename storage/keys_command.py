"""`python -m storage keys`: look at the keys that sign access tokens, rotate and retire them."""

import argparse
import json
from datetime import datetime
from typing import Any

from ops.metrics import Metrics
from ops.settings import Settings
from storage.database import Database
from storage.key_rotation import Reason, replace_all, retire, rotate
from storage.signing_keys import ListedKey

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def add_parser(commands: Any) -> None:
    """Add `keys` with its own commands to those of the program."""
    keys = commands.add_parser("keys", help="list, rotate or retire the keys that sign tokens")
    actions = keys.add_subparsers(dest="action", required=True)
    list_ = actions.add_parser("list", help="list keys: id, algorithm, age, state, signs from")
    list_.add_argument("--json", action="store_true")
    rotate_ = actions.add_parser("rotate", help="make the key that signs in an hour")
    rotate_.add_argument(
        "--now",
        action="store_true",
        help="a key was stolen: sign with the new one at once and retire all others; every access"
        " token is refused from then on, sessions go on by refreshing",
    )
    rotate_.add_argument("--yes", action="store_true", help="do not ask")
    retire_ = actions.add_parser("retire", help="refuse the tokens of a key that does not sign")
    retire_.add_argument("id", help="the key, as `list` shows it")
    retire_.add_argument("--yes", action="store_true", help="do not ask")


def question(args: argparse.Namespace) -> tuple[str, str] | None:
    """Return what to ask first and the word that means yes; None when nothing can be lost."""
    if args.action == "rotate" and args.now:
        return "Every access token is refused from now on; people refresh theirs.", "replace"
    if args.action == "retire":
        return f"Every access token that {args.id} signed is refused from now on.", "retire"
    return None


async def run(settings: Settings, args: argparse.Namespace) -> str:
    """Do it; return what to print. Raises RotationError, or DatabaseAway."""
    database = await Database.open(
        settings.database_url,
        keys=settings.keyring,
        metrics=Metrics(),
        name="keys",
        pool_size=1,
    )
    try:
        if args.action == "list":
            return await _listed(database, as_json=args.json)
        if args.action == "retire":
            await retire(database, args.id)
            return f"{args.id} is retired"
        if args.now:
            made = await replace_all(database, settings.token_algorithm)
            return f"{made.key_id} signs now; every other key is retired"
        made = await rotate(database, settings.token_algorithm, reason=Reason.COMMAND)
        waits = "will sign" if made.made else "is waiting already and will sign"
        return f"{made.key_id} {waits} from {_time(made.signs_from)} on"
    finally:
        await database.close()


async def _listed(database: Database, *, as_json: bool) -> str:
    async with database.reading() as storage:
        keys = await storage.signing_keys.listed()
    if as_json:
        return json.dumps([_facts(key) for key in keys])
    if not keys:
        return "there is no key yet; the first web process makes one"
    rows = [("ID", "ALGORITHM", "AGE", "STATE", "SIGNS FROM")]
    rows += [
        (key.id, key.algorithm, _age(key.age), key.state, _time(key.signs_from)) for key in keys
    ]
    return "\n".join(f"{a:16}  {b:9}  {c:>4}  {d:9}  {e}" for a, b, c, d, e in rows)


def _facts(key: ListedKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "algorithm": key.algorithm,
        "state": key.state,
        "ageSeconds": int(key.age),
        "createdAt": _time(key.created_at),
        "signsFrom": _time(key.signs_from),
        "retiredAt": _time(key.retired_at) if key.retired_at else None,
    }


def _age(seconds: float) -> str:
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
