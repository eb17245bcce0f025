"""From an access token to a principal: the token must be good, and its session still live."""

from api.auth.tokens import Tokens
from api.context import Principal
from api.problems import InvalidToken
from storage.database import Database


class Identity:
    """Turns access tokens into principals."""

    def __init__(self, tokens: Tokens, database: Database) -> None:
        self._tokens = tokens
        self._database = database

    async def identify(self, token: str) -> Principal:
        """Return who a token was given to; raise InvalidToken when it is good no longer."""
        claims = await self._tokens.verify(token)
        async with self._database.reading() as storage:
            session = await storage.sessions.live(claims.session_id)
        if session is None or session.user_id != claims.user_id or session.epoch != claims.epoch:
            raise InvalidToken
        return Principal(user_id=claims.user_id, session_id=claims.session_id)
