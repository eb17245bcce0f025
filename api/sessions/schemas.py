"""What going on with a session takes and gives."""

from typing import Any, ClassVar

from marshmallow import fields, validate

from api.schemas import Inbound, Outbound, Text
from api.sessions.service import Refresh


class RefreshSchema(Inbound):
    """A refresh token."""

    makes = Refresh
    example: ClassVar[dict[str, Any]] = {"refreshToken": "ort_k1.01935b5c6d1e7a3b8c4d5e6f.0.x.y"}

    refresh_token = Text(required=True, data_key="refreshToken", validate=validate.Length(1, 4_096))


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
