"""Letters as people get them: promised by the API, written by the workers' own coroutines."""

import email
import importlib
import re
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ops.ids import new_id
from workers.actor import WORKS
from workers.toolbox import Tools

_OPEN = "SELECT id, name FROM outbox WHERE state <> 'done' ORDER BY id"


async def write_promised(tools: Tools, owner: Any) -> None:
    """Do every job that is promised, as a worker does."""
    for row in await owner.fetch(_OPEN):
        async with tools.database.reading() as storage:
            [promise] = await storage.outbox.claim_runs([(row["id"], new_id())], lease=15)
        importlib.import_module(f"workers.{promise.queue}")
        job, work = WORKS[promise.name]
        await work(job.from_body(promise.body), promise, tools)


def link(folder: Path, path: str) -> str:
    """Return path and query of the one link to a page that lies in the letters of a folder."""
    texts = [_text(file) for file in folder.glob("*.eml")]
    (found,) = {url for text in texts for url in re.findall(rf"https?://\S+{path}\?\S+", text)}
    parts = urlsplit(found)
    return f"{parts.path}?{parts.query}"


def _text(file: Path) -> str:
    letter = email.message_from_bytes(file.read_bytes(), policy=default)
    return str(letter.get_body(("plain",)).get_content())
