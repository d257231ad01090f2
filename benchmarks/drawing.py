"""Plots beside each other as one picture, for the benchmarks that draw."""

from __future__ import annotations

from collections.abc import Sequence

from lentigo.evaluate.svg import Plot


def side_by_side(panels: Sequence[Plot], style: str) -> str:
    """An SVG document of its own with ``panels`` in a row; ``style`` is its CSS."""
    parts, left = [], 0.0
    for each in panels:
        placed = f'<svg x="{left:g}" y="0" width="{each.width:g}" height="{each.height:g}" '
        parts.append(str(each.render()).replace("<svg ", placed, 1))
        left += each.width
    height = max(each.height for each in panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left:g} {height:g}" '
        f'width="{left:g}" height="{height:g}"><style>{style}</style>{"".join(parts)}</svg>\n'
    )
