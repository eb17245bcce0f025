"""What going on with a session takes and gives."""

from typing import Any, ClassVar

from marshmallow import fields, validate

from api.schemas import Inbound, Outbound, Text, Time
from api.sessions.service import Refresh


class RefreshSchema(Inbound):
    """A refresh token."""

    makes = Refresh
    example: ClassVar[dict[str, Any]] = {"refreshToken": "ort_k1.01935b5c6d1e7a3b8c4d5e6f.0.x.y"}

    refresh_token = Text(data_key="refreshToken", validate=validate.Length(1, 4_096))


class SessionSchema(Outbound):
    """A live session, as its person sees it."""

    example: ClassVar[dict[str, Any]] = {
        "id": "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3",
        "device": "Firefox on Linux",
        "addressPrefix": "203.0.113.0/24",
        "createdAt": "2026-11-21T10:30:00.000Z",
        "lastUsedAt": "2026-11-21T11:00:00.000Z",
        "expiresAt": "2026-11-28T11:00:00.000Z",
        "current": True,
    }

    id = fields.UUID(required=True)
    device = fields.String(required=True)
    address_prefix = fields.String(
        required=True,
        allow_none=True,
        data_key="addressPrefix",
        metadata={"description": "The /24 of an IPv4 address, the /48 of an IPv6 one."},
    )
    created_at = Time(required=True, data_key="createdAt")
    last_used_at = Time(required=True, data_key="lastUsedAt")
    expires_at = Time(
        required=True,
        data_key="expiresAt",
        metadata={"description": "When it ends unless it is used."},
    )
    current = fields.Boolean(
        required=True, metadata={"description": "Whether it is the session of this request."}
    )


class TokensSchema(Outbound):
    """A new access token, and the refresh token to go on with."""

    example: ClassVar[dict[str, Any]] = {
        "accessToken": "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9...",
        "refreshToken": "ort_k1.01935b5c6d1e7a3b8c4d5e6f708192a3.1...",
        "expiresIn": 900,
    }

    access_token = fields.String(required=True, data_key="accessToken")
    refresh_token = fields.String(required=True, data_key="refreshToken")
    expires_in = fields.Integer(
        required=True,
        data_key="expiresIn",
        metadata={"description": "Seconds the access token lives."},
    )
