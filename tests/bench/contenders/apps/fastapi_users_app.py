"""fastapi-users as its documentation sets it up: SQLAlchemy on asyncpg, bearer tokens, JWT.

Runs in an environment of its own, so it imports nothing of the house. The list of users, which
fastapi-users has not, is as FastAPI's tutorial writes one.
"""

# Not from __future__: FastAPI reads the annotations.
import os
import sys
import uuid
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI  # type: ignore[import-not-found]
from fastapi_users import (  # type: ignore[import-not-found]
    BaseUserManager,
    FastAPIUsers,
    UUIDIDMixin,
    schemas,
)
from fastapi_users.authentication import (  # type: ignore[import-not-found]
    AuthenticationBackend,
    BearerTransport,
    JWTStrategy,
)
from fastapi_users.db import (  # type: ignore[import-not-found]
    SQLAlchemyBaseUserTableUUID,
    SQLAlchemyUserDatabase,
)
from fastapi_users.password import PasswordHelper  # type: ignore[import-not-found]
from pwdlib import PasswordHash  # type: ignore[import-not-found]
from pwdlib.hashers.argon2 import Argon2Hasher  # type: ignore[import-not-found]
from sqlalchemy import func, select  # type: ignore[import-not-found]
from sqlalchemy.ext.asyncio import (  # type: ignore[import-not-found]
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase  # type: ignore[import-not-found]

_SECRET = os.environ["SECRET"]


class Base(DeclarativeBase):  # type: ignore[misc]
    """The tables."""


class User(SQLAlchemyBaseUserTableUUID, Base):  # type: ignore[misc]
    """The table `user`."""


class UserRead(schemas.BaseUser[uuid.UUID]):  # type: ignore[misc]
    """A user as shown."""


class UserCreate(schemas.BaseUserCreate):  # type: ignore[misc]
    """A registration."""


class UserUpdate(schemas.BaseUserUpdate):  # type: ignore[misc]
    """A change."""


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):  # type: ignore[misc]
    """What the documentation has, without its prints."""

    reset_password_token_secret = _SECRET
    verification_token_secret = _SECRET


_engine = create_async_engine(os.environ["DATABASE_URL"])
_sessions = async_sessionmaker(_engine, expire_on_commit=False)


def _helper() -> PasswordHelper:
    """Return the default, or one with the parameters of the others in ARGON2."""
    if not os.environ.get("ARGON2"):
        return PasswordHelper()
    memory, passes, lanes = map(int, os.environ["ARGON2"].split(","))
    hasher = Argon2Hasher(memory_cost=memory, time_cost=passes, parallelism=lanes)
    return PasswordHelper(PasswordHash((hasher,)))


async def _session() -> AsyncIterator[AsyncSession]:
    async with _sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(_session)]


async def _database(session: Session) -> AsyncIterator[Any]:
    yield SQLAlchemyUserDatabase(session, User)


async def _manager(
    database: Annotated[SQLAlchemyUserDatabase, Depends(_database)],
) -> AsyncIterator[UserManager]:
    yield UserManager(database, _helper())


backend = AuthenticationBackend(
    name="jwt",
    transport=BearerTransport(tokenUrl="auth/jwt/login"),
    get_strategy=lambda: JWTStrategy(secret=_SECRET, lifetime_seconds=3600),
)
users = FastAPIUsers[User, uuid.UUID](_manager, [backend])
Root = Annotated[User, Depends(users.current_user(active=True, superuser=True))]

app = FastAPI()
app.include_router(users.get_auth_router(backend), prefix="/auth/jwt")
app.include_router(users.get_register_router(UserRead, UserCreate), prefix="/auth")


@app.get("/users/all", response_model=list[UserRead])  # type: ignore[untyped-decorator]
async def all_users(session: Session, _: Root) -> Any:
    """Thirty users, without a total."""
    return (await session.scalars(select(User).order_by(User.email).limit(30))).all()


@app.get("/users/counted")  # type: ignore[untyped-decorator]
async def counted_users(session: Session, _: Root) -> dict[str, Any]:
    """Thirty users and how many there are."""
    rows = (await session.scalars(select(User).order_by(User.email).limit(30))).all()
    total = await session.scalar(select(func.count()).select_from(User))
    return {"items": [UserRead.model_validate(row) for row in rows], "total": total}


app.include_router(users.get_users_router(UserRead, UserUpdate), prefix="/users")


async def _create_tables() -> None:
    async with _engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await _engine.dispose()


if __name__ == "__main__":
    import asyncio

    if sys.argv[1:] == ["migrate"]:
        asyncio.run(_create_tables())
    else:
        sys.stdout.write(_helper().hash(sys.argv[2]))
