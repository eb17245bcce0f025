"""Endpoints of the audit trail."""

from datetime import UTC, datetime
from uuid import UUID

from aiohttp import hdrs, web

from api.access import Needs
from api.audit.schemas import EXPORTS, LISTS, EventSchema, RecordSchema, VerdictSchema
from api.audit.service import AuditService, Verified
from api.audit.verification import StillVerifying
from api.context import CALL
from api.ids import id_of
from api.routing import BASE, Routes
from api.streams import stream
from storage.ledger.formats import FORMATS
from storage.ledger.records import AuditEvent, AuditRecord, EventNotFound
from storage.pages import Page, Window
from storage.roles import Permission

AUDIT = web.AppKey("audit", AuditService)

routes = Routes(f"{BASE}/audit", tag="Audit", aliases=("/api/audit",))

_READS = Needs(Permission.AUDIT_READ)
_EXAMPLES = {
    "application/x-ndjson": '{"event":{"action":"user.created", ...},"hash":"...","salt":"...",'
    '"address":"203.0.113.9"}\n',
    "text/csv": "sequence,id,time,action, ...\r\n41,01935b5c-6d1e-7a3b-8c4d-5e6f708192a3, ...\r\n",
}


@routes.add("GET", "", access=_READS, gives=EventSchema(many=True), lists=LISTS)
async def search_audit_trail(request: web.Request, window: Window) -> Page[AuditEvent]:
    """Search the audit trail.

    The newest first, unless `order=asc`. What waits to be sealed (`sealed: false`, for a second or
    two) is among it. The search itself is written down, too.
    """
    return await request.app[AUDIT].page(window, request[CALL])


@routes.add("GET", "/export", access=_READS, lists=EXPORTS, streams=_EXAMPLES)
async def export_audit_trail(request: web.Request, window: Window) -> web.StreamResponse:
    """Export the audit trail.

    A stream of what is sealed, in the order of the chain; `filter[sealed]=false` exports what waits
    in its place. JSON lines hold all that it takes to verify them offline; in CSV, cells that a
    spreadsheet would calculate begin with an apostrophe. An answer that breaks off is not whole.
    """
    form = FORMATS[request.query.get("format", EXPORTS.formats[0])]
    name = f"audit-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{form.name}"
    response = web.StreamResponse(
        headers={
            hdrs.CONTENT_TYPE: f"{form.media_type}; charset=utf-8",
            hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"',
        }
    )
    return await stream(request, response, request.app[AUDIT].export(window, form, request[CALL]))


@routes.add("GET", "/verify", access=_READS, gives=VerdictSchema(), problems=(StillVerifying,))
async def verify_audit_trail(request: web.Request) -> Verified:
    """Verify the audit trail.

    Walks the whole chain and says whether every row is what was sealed; `firstBroken` is the first
    one that was changed, removed or put in. Who asks while a verification runs gets its result.
    """
    return await request.app[AUDIT].verify(request[CALL])


@routes.add(
    "GET", "/{id}", access=_READS, gives=RecordSchema(), problems=(EventNotFound,), versioned=True
)
async def get_audit_event(request: web.Request) -> AuditRecord:
    """Get an audit event, with what it takes to hash it again."""
    return await request.app[AUDIT].get(_id_of(request), request[CALL])


def _id_of(request: web.Request) -> UUID:
    return id_of(request.match_info["id"], EventNotFound)
