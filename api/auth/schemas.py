"""What registration and sign-in take and give."""

from typing import Any, ClassVar

from marshmallow import fields

from api.auth.account import Proof
from api.auth.service import Credentials, NewUser
from api.fields import Email, Name, NewEmail, Password
from api.schemas import Inbound, Outbound, Time

_USER = {
    "id": "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3",
    "email": "user@example.com",
    "firstName": "John",
    "lastName": "Doe",
    "role": "user",
    "profilePicture": None,
    "emailVerified": False,
    "lastLoginAt": None,
    "createdAt": "2026-11-21T10:30:00.000Z",
}


class NewUserSchema(Inbound):
    """A registration."""

    makes = NewUser
    example: ClassVar[dict[str, Any]] = {
        "email": "user@example.com",
        "password": "SecureP@ss123",
        "firstName": "John",
        "lastName": "Doe",
    }

    email = NewEmail(required=True)
    password = Password(required=True, metadata={"writeOnly": True, "format": "password"})
    first_name = Name(required=True, data_key="firstName")
    last_name = Name(required=True, data_key="lastName")


class CredentialsSchema(Inbound):
    """A sign-in."""

    makes = Credentials
    example: ClassVar[dict[str, Any]] = {
        "email": "user@example.com",
        "password": "SecureP@ss123",
    }

    email = Email(required=True)
    password = Password(required=True, metadata={"writeOnly": True, "format": "password"})


class ProofSchema(Inbound):
    """The password of whoever is signed in."""

    makes = Proof
    example: ClassVar[dict[str, Any]] = {"password": "SecureP@ss123"}

    password = Password(required=True, metadata={"writeOnly": True, "format": "password"})


class UserSchema(Outbound):
    """A person, as they see themselves."""

    example: ClassVar[dict[str, Any]] = _USER

    id = fields.UUID(required=True)
    email = fields.Email(required=True)
    first_name = fields.String(required=True, data_key="firstName")
    last_name = fields.String(required=True, data_key="lastName")
    role = fields.String(required=True)
    profile_picture_url = fields.String(required=True, allow_none=True, data_key="profilePicture")
    email_verified = fields.Boolean(required=True, data_key="emailVerified")
    last_login_at = Time(required=True, allow_none=True, data_key="lastLoginAt")
    created_at = Time(required=True, data_key="createdAt")


class SignedInSchema(Outbound):
    """A person and their tokens."""

    example: ClassVar[dict[str, Any]] = {
        "user": _USER,
        "accessToken": "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9...",
        "refreshToken": "ort_k1.01935b5c6d1e7a3b8c4d5e6f708192a3.0...",
        "expiresIn": 900,
        "deviceToken": "odv_k1.01935b5c6d1e7a3b8c4d5e6f708192a3...",
    }

    user = fields.Nested(UserSchema, required=True)
    access_token = fields.String(
        required=True, data_key="accessToken", attribute="tokens.access_token"
    )
    refresh_token = fields.String(
        required=True, data_key="refreshToken", attribute="tokens.refresh_token"
    )
    expires_in = fields.Integer(
        required=True,
        data_key="expiresIn",
        attribute="tokens.expires_in",
        metadata={"description": "Seconds the access token lives."},
    )
    device_token = fields.String(
        required=True,
        data_key="deviceToken",
        metadata={
            "description": "Send it as X-Device-Token when signing in again: failures of others"
            " then keep this device out of nothing."
        },
    )


class JwkSetSchema(Outbound):
    """A JWK set (RFC 7517)."""

    example: ClassVar[dict[str, Any]] = {
        "keys": [
            {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "k", "x": "x"}
        ]
    }

    keys = fields.List(fields.Dict(), required=True)
