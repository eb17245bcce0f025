"""The only package that knows the OpenAPI library: endpoints' declarations become one document."""

from api.openapi.document import document

__all__ = ["document"]
