"""The composition root: every part is wired here."""

from collections.abc import Sequence
from datetime import timedelta

from aiohttp import web

from api.access import ACCESS_RULES, AccessRules
from api.audit.handlers import routes as audit_routes
from api.auth.handlers import SIGNING_RING, well_known
from api.auth.handlers import routes as auth_routes
from api.auth.identity import Identity
from api.auth.presence import Presence
from api.auth.tokens import SigningRing, Tokens
from api.auth.transport import TRANSPORT, Transport
from api.content.handlers import routes as content_routes
from api.cors import Cors
from api.denials import Denials
from api.deprecations import DEPRECATIONS, Deprecations
from api.docs.handlers import OPENAPI, made_once
from api.docs.handlers import pages as docs_pages
from api.emails.handlers import routes as email_routes
from api.emails.pages import pages as email_pages
from api.headers import FIXED_HEADERS, fixed_headers
from api.health.handlers import routes as health_routes
from api.home.handlers import pages as home_pages
from api.idempotency import Idempotency
from api.jobs.handlers import routes as job_routes
from api.jobs.queues import routes as queue_routes
from api.limits import Limits, Policy
from api.mailbox.handlers import pages as mailbox_pages
from api.mailbox.service import has_mailbox
from api.middleware import Wrapper
from api.observing import Observer
from api.openapi import document
from api.pages.render import PAGES, Pages
from api.paging import Queries
from api.parts import Parts
from api.passwords.handlers import routes as password_routes
from api.passwords.pages import pages as password_pages
from api.profiles.handlers import routes as profile_routes
from api.proxies import ProxyWatch
from api.reading import LARGE
from api.roles.handlers import routes as role_routes
from api.router import Router
from api.routing import Endpoint, Routes
from api.services import publish_services, publish_status
from api.sessions.handlers import routes as session_routes
from api.sessions.people import routes as oversight_routes
from api.setup.handlers import pages as setup_pages
from api.statistics.handlers import routes as statistics_routes
from api.status.handlers import routes as status_routes
from api.status.pages import pages as status_pages
from api.status.sign_in import pages as sign_in_pages
from api.targets.handlers import make_routes
from api.tasks.handlers import routes as task_routes
from api.teams.handlers import routes as team_routes
from api.traces import traced
from api.users.handlers import routes as user_routes
from api.watching import watching
from ops.settings import Rate, SecurityProfile, Settings, VerifiedEmail


def all_routes(settings: Settings) -> list[Routes]:
    """Return every endpoint there is under these settings."""
    routes = [
        auth_routes,
        session_routes,
        email_routes,
        password_routes,
        user_routes,
        profile_routes,
        oversight_routes,
        role_routes,
        team_routes,
        task_routes,
        statistics_routes,
        status_routes,
        content_routes,
        queue_routes,
        job_routes,
        audit_routes,
        well_known,
        health_routes,
        make_routes(settings.ops_token),
        docs_pages,
        email_pages,
        password_pages,
        setup_pages,
        home_pages,
        sign_in_pages,
        status_pages,
    ]
    return [*routes, mailbox_pages] if has_mailbox(settings) else routes


def all_endpoints(settings: Settings) -> list[Endpoint]:
    """Return every endpoint of every feature."""
    return [endpoint for routes in all_routes(settings) for endpoint in routes.endpoints]


async def make_app(
    parts: Parts, *, also: Sequence[Routes] = (), deprecations: Deprecations = DEPRECATIONS
) -> web.Application:
    """Return the application; reads the signing keys, and makes the first one.

    `also` are endpoints beside our own: for tests of rules that none of ours uses yet.
    """
    every = (*all_routes(parts.settings), *also)
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
    app[PAGES] = Pages(product=settings.product_name)
    endpoints = [endpoint for routes in every for endpoint in routes.endpoints]
    app[OPENAPI] = made_once(lambda: document(endpoints, deprecations))
    app[ACCESS_RULES] = AccessRules(
        step_up=timedelta(seconds=settings.step_up_ttl),
        verified_needed=settings.require_verified_email is not VerifiedEmail.OFF,
    )
    app[TRANSPORT] = Transport(
        base_url=settings.base_url,
        origins=(*settings.allowed_origins, *_loopback_origins(settings)),
        seconds=settings.refresh_token_ttl,
    )
    publish_services(app, parts, tokens, limits)
    presence = Presence(parts.database, metrics)
    identity = Identity(tokens, presence, metrics)
    publish_status(app, parts, identity, limits)
    app.cleanup_ctx.append(watching(parts, presence=presence, identity=identity, ring=ring))
    router = Router(
        identifier=identity,
        limits=limits,
        claims=Idempotency(parts.database, parts.keys),
        denials=Denials(parts.database),
        queries=Queries(parts.keys),
        insists_on_version=settings.security_profile is SecurityProfile.STRICT,
        deprecations=deprecations,
    )
    for routes in every:
        router.mount(app, routes)
    return app


def _wrapped_application(parts: Parts) -> web.Application:
    settings = parts.settings
    proxies = ProxyWatch(parts.redis, parts.metrics, settings.trusted_proxies)
    observer = Observer(parts.metrics, slow_milliseconds=settings.slow_request_ms)
    headers = fixed_headers(settings)
    wrapper = Wrapper(
        metrics=parts.metrics,
        observer=observer,
        cors=Cors(settings.allowed_origins),
        trusted_proxies=settings.trusted_proxies,
        proxies=proxies,
        headers=headers,
    )
    middlewares = [wrapper.middleware()]
    if parts.tracer:  # outside of the other, whose lines carry the id of the trace then
        middlewares.insert(0, traced(parts.tracer, base_url=settings.base_url))
    app = web.Application(middlewares=middlewares, client_max_size=LARGE)
    app[FIXED_HEADERS] = headers
    app.on_response_prepare.append(wrapper.prepare)
    app.on_cleanup.append(proxies.close)
    app.on_cleanup.append(observer.close)
    return app


def _loopback_origins(settings: Settings) -> tuple[str, ...]:
    """Return the other names of this machine while PUBLIC_URL does not say which one is meant."""
    if settings.public_url:
        return ()
    return tuple(f"http://{host}:{settings.port}" for host in ("127.0.0.1", "[::1]"))


def _rates(settings: Settings) -> dict[Policy, Rate | None]:
    return {
        Policy.ANONYMOUS: settings.rate_limit_anonymous,
        Policy.AUTHENTICATED: settings.rate_limit_authenticated,
        Policy.PREMIUM: settings.rate_limit_premium,
        Policy.REFRESH: settings.rate_limit_refresh,
        Policy.AUTH_FAILURES: settings.rate_limit_auth_failures,
    }
