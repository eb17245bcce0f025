"""How seeded rows are known: by their ids, which nobody else makes.

Such an id is a UUIDv7 like any other, whose random bits are a fixed mark and a number.
"""

from datetime import datetime
from uuid import UUID

# 42 of the bits that `ops.ids` leaves to chance.
_MARK = 0x75ED_85EE_D000_0000_0000

# For `id::text LIKE`.
SEEDED = "________-____-75ed-85ee-d000%"


def seeded_id(made_at: datetime, number: int) -> UUID:
    """Return the id of the seeded row of this number, below 2 ** 32, made at that time."""
    return UUID(int=int(made_at.timestamp() * 1000) << 80 | _MARK | number)
