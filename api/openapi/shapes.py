"""Schemas that every answer shares, as OpenAPI components."""

from typing import Any

from ops.version import VERSION

META: dict[str, Any] = {
    "type": "object",
    "required": ["requestId", "timestamp", "version"],
    "properties": {
        "requestId": {"type": "string", "example": "req_0193f2b8c0de7abc8def0123456789ab"},
        "timestamp": {"type": "string", "format": "date-time"},
        "version": {"type": "string", "example": VERSION},
    },
}
_DETAILS: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["field", "message"],
        "properties": {
            "field": {"type": "string"},
            "message": {"type": "string"},
        },
    },
}
ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["success", "error", "meta"],
    "properties": {
        "success": {"type": "boolean", "const": False},
        "error": {
            "type": "object",
            "required": ["code", "message", "details"],
            "properties": {
                "code": {"type": "string", "example": "VALIDATION_ERROR"},
                "message": {"type": "string"},
                "details": _DETAILS,
            },
        },
        "retryAfter": {"type": "integer", "description": "Seconds."},
        "meta": {"$ref": "#/components/schemas/Meta"},
    },
}
# The same facts as RFC 9457 has them (`api/envelope.py`).
PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "errors", "requestId"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string", "description": "The same as code."},
        "status": {"type": "integer", "description": "The status of the answer."},
        "detail": {"type": "string", "description": "What is wrong and what to do."},
        "code": {"type": "string", "example": "VALIDATION_ERROR"},
        "errors": _DETAILS,
        "retryAfter": {"type": "integer", "description": "Seconds."},
        "requestId": {"type": "string", "example": "req_0193f2b8c0de7abc8def0123456789ab"},
    },
}
PAGINATION: dict[str, Any] = {
    "type": "object",
    "required": ["limit", "hasNext", "hasPrev", "nextCursor"],
    "properties": {
        "page": {"type": "integer", "description": "Only when asked for by page."},
        "limit": {"type": "integer"},
        "total": {"type": "integer", "description": "A lower bound unless totalIsExact."},
        "totalPages": {"type": "integer"},
        "totalIsExact": {"type": "boolean"},
        "hasNext": {"type": "boolean"},
        "hasPrev": {"type": "boolean"},
        "nextCursor": {
            "type": ["string", "null"],
            "description": "Send it as cursor, with the same query, to go on at any depth.",
        },
    },
}
PAGINATION_EXAMPLE = {
    "page": 1,
    "limit": 20,
    "hasNext": False,
    "hasPrev": False,
    "total": 1,
    "totalPages": 1,
    "totalIsExact": True,
    "nextCursor": None,
}
META_EXAMPLE = {
    "requestId": "req_0193f2b8c0de7abc8def0123456789ab",
    "timestamp": "2026-11-21T10:30:00.000Z",
    "version": VERSION,
}
