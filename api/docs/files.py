"""The generated files of docs/: the OpenAPI document and the list of error codes."""

import json

from api.app import all_endpoints
from api.docs.errors import markdown
from api.openapi import document
from ops.settings import load


def files() -> dict[str, str]:
    """Return the text of each generated file by its name."""
    settings = load({}, strict=False)
    text = json.dumps(document(all_endpoints(settings)), indent=2)
    return {"openapi.json": f"{text}\n", "ERRORS.md": markdown()}
