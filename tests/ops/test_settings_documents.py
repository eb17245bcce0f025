"""The documents' own environment files, word for word: they start, and production refuses them."""

from pathlib import Path

from ops.settings import Environment
from tests.ops.test_settings import mistakes, settings

# Document 003, section 4.2, and document 004, configuration management: word for word.
GUIDE = """\
# Server
NODE_ENV=development
PORT=3000
API_URL=http://localhost:3000

# Database
DATABASE_URL=postgresql://user:password@localhost:5432/dbname
DB_HOST=localhost
DB_PORT=5432
DB_NAME=dbname
DB_USER=user
DB_PASSWORD=password

# Redis
REDIS_URL=redis://localhost:6379
REDIS_HOST=localhost
REDIS_PORT=6379

# Authentication
JWT_SECRET=your-super-secret-jwt-key-change-this
JWT_EXPIRATION=7d
REFRESH_TOKEN_SECRET=your-refresh-token-secret
SESSION_SECRET=your-session-secret

# OAuth
GOOGLE_CLIENT_ID=
GOOGLE_CLIENT_SECRET=
GOOGLE_CALLBACK_URL=http://localhost:3000/auth/google/callback

# AWS
AWS_REGION=us-east-1
AWS_ACCESS_KEY_ID=
AWS_SECRET_ACCESS_KEY=
S3_BUCKET_NAME=

# Email
SENDGRID_API_KEY=
FROM_EMAIL=noreply@example.com

# External APIs
STRIPE_SECRET_KEY=
STRIPE_WEBHOOK_SECRET=

# Monitoring
SENTRY_DSN=
"""
USER_API = """\
# Server
PORT=3000
NODE_ENV=production
API_VERSION=v1

# Database
DB_HOST=localhost
DB_PORT=5432
DB_NAME=user_management
DB_USER=app_user
DB_PASSWORD=<secure_password>
DB_POOL_SIZE=20

# Security
JWT_SECRET=<secure_secret>
JWT_EXPIRY=15m
REFRESH_TOKEN_EXPIRY=7d
BCRYPT_ROUNDS=10

# External Services
REDIS_URL=redis://localhost:6379
EMAIL_SERVICE_URL=<email_service>

# Monitoring
LOG_LEVEL=info
SENTRY_DSN=<sentry_dsn>
"""


def test_the_guides_whole_environment_loads_in_development(tmp_path: Path) -> None:
    loaded = settings(tmp_path, GUIDE)

    assert loaded.environment is Environment.DEVELOPMENT
    assert loaded.public_url == "http://localhost:3000"
    assert loaded.database_url == "postgresql://user:password@localhost:5432/dbname"
    assert loaded.redis_url == "redis://localhost:6379"
    assert loaded.access_token_ttl == 7 * 86_400
    assert loaded.mail_from == "noreply@example.com"
    assert loaded.keyring.ids == ("jwt",)
    assert loaded.warnings == ()


def test_the_user_apis_whole_environment_loads_in_development(tmp_path: Path) -> None:
    loaded = settings(tmp_path, USER_API, NODE_ENV="development")

    assert loaded.database_url == (
        "postgresql://app_user:%3Csecure_password%3E@localhost:5432/user_management"
    )
    assert (loaded.access_token_ttl, loaded.refresh_token_ttl) == (900, 604_800)
    assert (loaded.smtp_url, loaded.sentry_dsn) == ("", "")
    assert [text.partition("=")[0] for text in loaded.warnings] == [
        "EMAIL_SERVICE_URL",
        "SENTRY_DSN",
    ]


def test_the_user_apis_examples_are_all_refused_in_production(tmp_path: Path) -> None:
    told = mistakes(tmp_path, USER_API)

    for name in ("DB_PASSWORD", "JWT_SECRET", "SMTP_URL", "PUBLIC_URL", "OPS_TOKEN"):
        assert any(text.startswith(name) for text in told), name


def test_names_of_the_documents_are_read_where_ours_are_not_set(tmp_path: Path) -> None:
    loaded = settings(
        tmp_path,
        DB_HOST="db.acme.com",
        DB_USER="us/er",
        DB_PASSWORD="p@ss word",
        REDIS_HOST="cache",
        JWT_SECRET="x" * 40,
        JWT_EXPIRY="30m",
        REFRESH_TOKEN_EXPIRY="14d",
    )

    assert loaded.database_url == "postgresql://us%2Fer:p%40ss%20word@db.acme.com:5432/ostiary"
    assert loaded.redis_url == "redis://cache:6379/0"
    assert (loaded.access_token_ttl, loaded.refresh_token_ttl) == (1800, 14 * 86_400)
    assert settings(tmp_path, JWT_EXPIRY="30m", ACCESS_TOKEN_TTL="5m").access_token_ttl == 300
