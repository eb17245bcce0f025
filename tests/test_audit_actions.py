"""Every action that is written down anywhere is explained in docs/audit.md, and no other."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLOORS = ("api", "workers", "storage")
# Actions whose names are not written where they are noted: expression to what it can be.
CHOSEN = {
    "_ENTERED[new.status]": {"content.published", "content.archived"},
    "_ENTERED[changes['status']]": {
        "content.published",
        "content.archived",
        "content.unpublished",
    },
    "letter.refused": {"verification.refused", "password_reset.refused", "email_change.refused"},
    "f'team.{change}'": {"team.member_added", "team.member_changed"},
    "action": {"signing_key.created", "signing_key.rotated"},
    "DROPPED": {"audit.months_dropped"},
    "f'jobs.{deed}_ordered'": {
        "jobs.retry_ordered",
        "jobs.discard_ordered",
        "jobs.replay_ordered",
    },
    "deed.event": {"jobs.retried", "jobs.discarded", "jobs.replayed"},
}


def noted() -> set[str]:
    """Return every action that some line of code notes."""
    found = set()
    for path in (path for floor in FLOORS for path in (ROOT / floor).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith("audit.note"):
                continue
            first = node.args[0]
            name = ast.unparse(first)
            if isinstance(first, ast.Constant):
                found.add(str(first.value))
            else:
                assert name in CHOSEN, f"{path}:{node.lineno}: say in CHOSEN what {name} can be"
                found |= CHOSEN[name]
    return found


def explained() -> list[str]:
    """Return the actions of the page, in its order."""
    text = (ROOT / "docs" / "audit.md").read_text().partition("## Every action")[2]
    return re.findall(r"^\| `([a-z_.]+)` \| \S.* \|$", text, re.MULTILINE)


def test_every_action_is_explained_and_every_explanation_is_of_an_action() -> None:
    listed = explained()

    assert noted() == set(listed)
    assert listed == sorted(set(listed))


def test_every_action_has_a_name_that_can_be_searched_for() -> None:
    assert [name for name in noted() if not re.fullmatch(r"[a-z_]+\.[a-z_]+", name)] == []
