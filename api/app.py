"""The composition root: every part is wired here."""

from aiohttp import web

from api.auth.handlers import AUTH, SIGNING_RING, well_known
from api.auth.handlers import routes as auth_routes
from api.auth.identity import Identity
from api.auth.service import AuthService
from api.auth.tokens import SigningRing, Tokens
from api.cors import Cors
from api.docs.handlers import OPENAPI, encoded
from api.docs.handlers import pages as docs_pages
from api.emails.handlers import EMAILS
from api.emails.handlers import pages as email_pages
from api.emails.handlers import routes as email_routes
from api.emails.service import EmailService
from api.health.handlers import HEALTH
from api.health.handlers import routes as health_routes
from api.health.service import HealthService
from api.home.handlers import pages as home_pages
from api.idempotency import Idempotency
from api.limits import Limits, Policy
from api.mailbox.handlers import MAILBOX
from api.mailbox.handlers import pages as mailbox_pages
from api.mailbox.service import Mailbox
from api.middleware import Wrapper
from api.openapi import document
from api.pages.render import PAGES, Pages
from api.parts import Parts
from api.proxies import ProxyWatch
from api.reading import LARGE
from api.routing import Endpoint, Router, Routes
from api.sessions.handlers import SESSIONS
from api.sessions.handlers import routes as session_routes
from api.sessions.service import SessionLives, SessionService
from api.setup.handlers import SETUP
from api.setup.handlers import pages as setup_pages
from api.setup.service import SetupService
from api.targets.handlers import REDIS, make_routes
from ops.settings import Environment, Settings

_HSTS = "max-age=31536000; includeSubDomains"


def all_routes(settings: Settings) -> list[Routes]:
    """Return every endpoint there is under these settings."""
    routes = [
        auth_routes,
        session_routes,
        email_routes,
        well_known,
        health_routes,
        make_routes(settings.ops_token),
        docs_pages,
        email_pages,
        setup_pages,
        home_pages,
    ]
    return [*routes, mailbox_pages] if has_mailbox(settings) else routes


def all_endpoints(settings: Settings) -> list[Endpoint]:
    """Return every endpoint of every feature."""
    return [endpoint for routes in all_routes(settings) for endpoint in routes.endpoints]


def has_mailbox(settings: Settings) -> bool:
    """Say whether letters are kept as files that may be shown: never in production."""
    return settings.environment is Environment.DEVELOPMENT and not settings.smtp_url


async def make_app(parts: Parts) -> web.Application:
    """Return the application; reads the signing keys, and makes the first one."""
    settings, metrics = parts.settings, parts.metrics
    ring = SigningRing(parts.database)
    await ring.load()
    tokens = Tokens(
        ring,
        parts.keys,
        issuer=settings.base_url,
        audience=settings.token_audience,
        seconds=settings.access_token_ttl,
    )
    limits = Limits(
        parts.redis,
        metrics,
        {
            Policy.ANONYMOUS: settings.rate_limit_anonymous,
            Policy.AUTHENTICATED: settings.rate_limit_authenticated,
            Policy.AUTH_FAILURES: settings.rate_limit_auth_failures,
        },
    )
    proxies = ProxyWatch(parts.redis, metrics, settings.trusted_proxies)
    wrapper = Wrapper(
        metrics=metrics,
        cors=Cors(settings.allowed_origins),
        trusted_proxies=settings.trusted_proxies,
        proxies=proxies,
        headers=_headers(settings),
    )
    app = web.Application(middlewares=[wrapper.middleware()], client_max_size=LARGE)
    app.on_cleanup.append(proxies.close)
    app[SIGNING_RING] = ring
    app[REDIS] = parts.redis
    app[PAGES] = Pages(product=settings.product_name)
    app[OPENAPI] = encoded(document(all_endpoints(settings)))
    _publish_services(app, parts, tokens, limits)
    router = Router(
        identifier=Identity(tokens, parts.database),
        limits=limits,
        claims=Idempotency(parts.database, parts.keys),
    )
    for routes in all_routes(settings):
        router.mount(app, routes)
    return app


def _publish_services(app: web.Application, parts: Parts, tokens: Tokens, limits: Limits) -> None:
    database, hasher, keys = parts.database, parts.hasher, parts.keys
    lives = SessionLives(
        idle=parts.settings.refresh_token_ttl, absolute=parts.settings.session_absolute_ttl
    )
    app[AUTH] = AuthService(
        database=database,
        hasher=hasher,
        tokens=tokens,
        limits=limits,
        metrics=parts.metrics,
        lives=lives,
    )
    app[SESSIONS] = SessionService(
        database=database, tokens=tokens, metrics=parts.metrics, lives=lives
    )
    app[EMAILS] = EmailService(database=database, keys=keys, metrics=parts.metrics)
    app[SETUP] = SetupService(database=database, hasher=hasher, keys=keys)
    app[HEALTH] = HealthService(database=database, redis=parts.redis)
    if has_mailbox(parts.settings):
        app[MAILBOX] = Mailbox(parts.settings.home / "mail")


def _headers(settings: Settings) -> dict[str, str]:
    """Return what every answer carries (OWASP secure headers; SECURITY C12)."""
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Server": "ostiary",
    }
    if settings.in_production:
        headers["Strict-Transport-Security"] = _HSTS
    return headers
