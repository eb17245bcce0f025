"""Pieces of content that seeded people own, in every status."""

from datetime import timedelta

from storage.seed.marks import SEEDED, seeded_id
from storage.seed.parts import Run, Seeder

_COUNT = 60
_SUBJECTS = (
    "How we answer the telephone", "Holidays of the year", "Notes of the meeting",
    "What to do when it burns", "Welcome to the house", "Prices", "A plan for spring",
    "Questions that are often asked",
)  # fmt: skip
_STATUSES = ("published", "published", "draft", "archived")

OWNERS = """
SELECT id FROM users WHERE id::text LIKE $1 AND deleted_at IS NULL AND is_active
ORDER BY right(id::text, 8) LIMIT 20
"""

HOW_MANY = "SELECT count(*) FROM content WHERE id::text LIKE $1"

ADD = """
INSERT INTO content (id, title, body, status, owner_id, published_at, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, CASE WHEN $4 = 'draft' THEN NULL ELSE $6::timestamptz END, $6, $6)
"""

REMOVE = "DELETE FROM content WHERE id::text LIKE $1"


async def _add(run: Run) -> int:
    if await run.connection.fetchval(HOW_MANY, SEEDED):
        return 0
    owners = [row["id"] for row in await run.connection.fetch(OWNERS, SEEDED)]
    if not owners:
        run.tell("no content: it needs owners; seed `people` or `users` as well")
        return 0
    for number in range(_COUNT):
        made_at = run.now - timedelta(days=_COUNT - number)
        subject = _SUBJECTS[number % len(_SUBJECTS)]
        await run.connection.execute(
            ADD,
            seeded_id(made_at, number + 1),
            f"{subject} ({number + 1})",
            f"{subject}: everything about it that anybody has to know. " * 5,
            _STATUSES[number % len(_STATUSES)],
            owners[number % len(owners)],
            made_at,
        )
    return _COUNT


async def _remove(run: Run) -> int:
    return int((await run.connection.execute(REMOVE, SEEDED)).split()[-1])


CONTENT = Seeder(help="sixty pieces of content of the seeded people", add=_add, remove=_remove)
