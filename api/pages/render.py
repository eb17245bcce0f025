"""Pages: Jinja2 templates, one small style sheet, no script, no request to anybody else."""

from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.assets import Asset, asset_file

_FOLDER = Path(__file__).parent
_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
)


class Pages:
    """Renders pages."""

    def __init__(self, *, product: str) -> None:
        self._product = product
        self._templates = Environment(
            loader=FileSystemLoader(_FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["style"] = _style().version

    def response(self, name: str, facts: dict[str, Any], *, status: int = 200) -> web.Response:
        """Return the page `templates/name.html` filled with facts."""
        text = self._templates.get_template(f"{name}.html").render(product=self._product, **facts)
        headers = {"Content-Security-Policy": _CSP, "Cache-Control": "no-store"}
        return web.Response(text=text, status=status, content_type="text/html", headers=headers)


PAGES = web.AppKey("pages", Pages)


async def style_sheet(request: web.Request) -> web.Response:
    """Return the one style sheet of all pages."""
    return _style().answer(request, cache_control="public, max-age=3600")


def _style() -> Asset:
    return asset_file(_FOLDER / "assets" / "ostiary.css", "text/css")
