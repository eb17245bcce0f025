"""The composition root: every part is wired here."""

from collections.abc import Sequence
from datetime import timedelta

from aiohttp import web

from api.access import ACCESS_RULES, AccessRules
from api.attempts import Attempts
from api.auth.account import AccountService
from api.auth.devices import DeviceTokens
from api.auth.guard import Guard
from api.auth.handlers import ACCOUNT, AUTH, SIGNING_RING, well_known
from api.auth.handlers import routes as auth_routes
from api.auth.identity import Identity
from api.auth.presence import Presence
from api.auth.service import AuthService, SignInRules
from api.auth.tokens import SigningRing, Tokens
from api.auth.transport import TRANSPORT, Transport
from api.cors import Cors
from api.docs.handlers import OPENAPI, encoded
from api.docs.handlers import pages as docs_pages
from api.emails.changes import EmailChangeService
from api.emails.handlers import EMAIL_CHANGES, EMAILS
from api.emails.handlers import routes as email_routes
from api.emails.pages import pages as email_pages
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
from api.passwords.current import CurrentPassword
from api.passwords.handlers import PASSWORDS
from api.passwords.handlers import routes as password_routes
from api.passwords.pages import pages as password_pages
from api.passwords.policy import PasswordPolicy
from api.passwords.service import PasswordService
from api.proofs import Proofs
from api.proxies import ProxyWatch
from api.reading import LARGE
from api.routing import Endpoint, Router, Routes
from api.sessions.handlers import SESSIONS
from api.sessions.handlers import routes as session_routes
from api.sessions.opening import SessionLives, SessionOpener
from api.sessions.service import SessionService
from api.setup.handlers import SETUP
from api.setup.handlers import pages as setup_pages
from api.setup.service import SetupService
from api.targets.handlers import REDIS, make_routes
from api.watching import watching
from ops.settings import Environment, Rate, SecurityProfile, Settings, VerifiedEmail

_HSTS = "max-age=31536000; includeSubDomains"


def all_routes(settings: Settings) -> list[Routes]:
    """Return every endpoint there is under these settings."""
    routes = [
        auth_routes,
        session_routes,
        email_routes,
        password_routes,
        well_known,
        health_routes,
        make_routes(settings.ops_token),
        docs_pages,
        email_pages,
        password_pages,
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


async def make_app(parts: Parts, *, also: Sequence[Routes] = ()) -> web.Application:
    """Return the application; reads the signing keys, and makes the first one.

    `also` are endpoints beside our own: for tests of rules that none of ours uses yet.
    """
    settings, metrics = parts.settings, parts.metrics
    ring = SigningRing(parts.database, algorithm=settings.token_algorithm)
    await ring.load()
    tokens = Tokens(
        ring,
        parts.keys,
        issuer=settings.base_url,
        audience=settings.token_audience,
        seconds=settings.access_token_ttl,
    )
    limits = Limits(parts.redis, metrics, _rates(settings))
    app = _wrapped_application(parts)
    app[SIGNING_RING] = ring
    app[REDIS] = parts.redis
    app[PAGES] = Pages(product=settings.product_name)
    app[OPENAPI] = encoded(document(all_endpoints(settings)))
    app[ACCESS_RULES] = AccessRules(
        step_up=timedelta(seconds=settings.step_up_ttl),
        verified_needed=settings.require_verified_email is not VerifiedEmail.OFF,
    )
    app[TRANSPORT] = Transport(
        base_url=settings.base_url,
        origins=(*settings.allowed_origins, *_loopback_origins(settings)),
        seconds=settings.refresh_token_ttl,
    )
    _publish_services(app, parts, tokens, limits)
    presence = Presence(parts.database, metrics)
    identity = Identity(tokens, presence, metrics)
    app.cleanup_ctx.append(watching(parts, presence=presence, identity=identity, ring=ring))
    router = Router(
        identifier=identity,
        limits=limits,
        claims=Idempotency(parts.database, parts.keys),
    )
    for routes in (*all_routes(settings), *also):
        router.mount(app, routes)
    return app


def _wrapped_application(parts: Parts) -> web.Application:
    settings = parts.settings
    proxies = ProxyWatch(parts.redis, parts.metrics, settings.trusted_proxies)
    wrapper = Wrapper(
        metrics=parts.metrics,
        cors=Cors(settings.allowed_origins),
        trusted_proxies=settings.trusted_proxies,
        proxies=proxies,
        headers=_headers(settings),
    )
    app = web.Application(middlewares=[wrapper.middleware()], client_max_size=LARGE)
    app.on_cleanup.append(proxies.close)
    return app


def _publish_services(app: web.Application, parts: Parts, tokens: Tokens, limits: Limits) -> None:
    database, hasher, metrics, settings = (
        parts.database,
        parts.hasher,
        parts.metrics,
        parts.settings,
    )
    devices = DeviceTokens(parts.keys)
    attempts = Attempts(
        database=database,
        keys=parts.keys,
        limits=limits,
        metrics=metrics,
        rate=settings.rate_limit_auth_failures,
    )
    lives = SessionLives(
        idle=settings.refresh_token_ttl,
        absolute=settings.session_absolute_ttl,
        per_user=settings.sessions_per_user,
    )
    policy = PasswordPolicy(settings.security_profile)
    app[AUTH] = AuthService(
        database=database,
        hasher=hasher,
        policy=policy,
        guard=Guard(database=database, attempts=attempts, devices=devices),
        opener=SessionOpener(tokens=tokens, devices=devices, lives=lives),
        tokens=tokens,
        devices=devices,
        metrics=metrics,
        rules=_sign_in_rules(settings),
    )
    app[SESSIONS] = SessionService(
        database=database,
        tokens=tokens,
        limits=limits,
        metrics=metrics,
        lives=lives,
        profile=settings.security_profile,
    )
    _publish_credentials(app, parts, policy, attempts)
    app[SETUP] = SetupService(database=database, hasher=hasher, policy=policy, keys=parts.keys)
    app[HEALTH] = HealthService(database=database, redis=parts.redis)
    if has_mailbox(settings):
        app[MAILBOX] = Mailbox(settings.home / "mail")


def _publish_credentials(
    app: web.Application, parts: Parts, policy: PasswordPolicy, attempts: Attempts
) -> None:
    """Publish what letters are asked for and answered with."""
    database, keys, metrics = parts.database, parts.keys, parts.metrics
    current = CurrentPassword(database=database, hasher=parts.hasher, attempts=attempts)
    app[ACCOUNT] = AccountService(database=database, current=current, metrics=metrics)
    proofs = Proofs(database=database, keys=keys, attempts=attempts)
    app[EMAILS] = EmailService(database=database, proofs=proofs, metrics=metrics)
    app[EMAIL_CHANGES] = EmailChangeService(
        database=database, keys=keys, proofs=proofs, current=current, metrics=metrics
    )
    app[PASSWORDS] = PasswordService(
        database=database,
        proofs=proofs,
        hasher=parts.hasher,
        policy=policy,
        attempts=attempts,
        current=current,
        devices=DeviceTokens(keys),
        metrics=metrics,
    )


def _loopback_origins(settings: Settings) -> tuple[str, ...]:
    """Return the other names of this machine while PUBLIC_URL does not say which one is meant."""
    if settings.public_url:
        return ()
    return tuple(f"http://{host}:{settings.port}" for host in ("127.0.0.1", "[::1]"))


def _sign_in_rules(settings: Settings) -> SignInRules:
    strict = settings.security_profile is SecurityProfile.STRICT
    by_setting = settings.require_verified_email is VerifiedEmail.LOGIN
    return SignInRules(neutral=strict, verified_only=strict or by_setting)


def _rates(settings: Settings) -> dict[Policy, Rate | None]:
    return {
        Policy.ANONYMOUS: settings.rate_limit_anonymous,
        Policy.AUTHENTICATED: settings.rate_limit_authenticated,
        Policy.PREMIUM: settings.rate_limit_premium,
        Policy.REFRESH: settings.rate_limit_refresh,
        Policy.AUTH_FAILURES: settings.rate_limit_auth_failures,
    }


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
