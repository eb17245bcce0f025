"""What the jobs row is compared with: Celery on Redis as it comes, late acknowledgement on.

Runs in an environment of its own, so it imports nothing of the house: `celery -A celery_peer
worker` works, `python celery_peer.py N` sends N tasks.
"""

import os
import sys

from celery import Celery  # type: ignore[import-not-found]

app = Celery("celery_peer", broker=os.environ["REDIS_URL"])
app.conf.task_acks_late = True
app.conf.task_ignore_result = True


@app.task  # type: ignore[untyped-decorator]
def nothing(number: int) -> None:
    """Do what the house's job does: read its argument."""
    _ = number + 1


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        nothing.delay(number)
