"""Bars as SVG, by hand: readable on light pages and on dark ones: nothing is behind them."""

from collections.abc import Mapping
from html import escape

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _BAR = 720, 150, 150, 56, 34, 20
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.unit, .ratio { fill: #57606a }
.bar { fill: #8c959f }
.ours { fill: #0969da }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .unit, .ratio { fill: #9198a1 }
  .bar { fill: #6e7681 }
  .ours { fill: #4493f8 }
}
""".strip()


def bars(title: str, unit: str, figures: Mapping[str, float], *, ours: str) -> str:
    """Return a picture of one bar each, with its figure and how many times as much ours is."""
    height = _TOP + _ROW * len(figures) + 8
    most = max(figures.values(), default=0) or 1
    rows = [
        _row(number, name, value, most=most, ours=figures.get(ours, 0), is_ours=name == ours)
        for number, (name, value) in enumerate(figures.items())
    ]
    told = "; ".join(f"{name}: {_number(value)}" for name, value in figures.items())
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title told">',
        f'<title id="title">{escape(title)}, {escape(unit)}</title>',
        f'<desc id="told">{escape(told)}</desc>',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="0" y="18">{escape(title)}</text>',
        f'<text class="unit" x="0" y="38">{escape(unit)}</text>',
        *rows,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _row(  # noqa: PLR0913 - one bar
    number: int, name: str, value: float, *, most: float, ours: float, is_ours: bool
) -> str:
    top = _TOP + _ROW * number
    length = max(1.0, (_WIDTH - _LEFT - _RIGHT) * value / most)
    middle = top + _BAR - 5
    against = "" if is_ours or not value or not ours else f"Ostiary x{ours / value:,.2f}"
    return (
        f'<text x="{_LEFT - 8}" y="{middle}" text-anchor="end">{escape(name)}</text>'
        f'<rect class="{"ours" if is_ours else "bar"}" x="{_LEFT}" y="{top}"'
        f' width="{length:.1f}" height="{_BAR}" rx="3"/>'
        f'<text x="{_LEFT + length + 8:.1f}" y="{middle}">{_number(value)}'
        f'<tspan class="ratio" dx="8">{against}</tspan></text>'
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"
