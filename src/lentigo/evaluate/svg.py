"""Small plots as inline SVG: they follow the page's colours, print sharply, need no script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup, escape

from lentigo.score.arrays import Floats

MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 54.0, 14.0, 10.0, 38.0
# A curve is drawn with at most this many points; finer ones cannot be seen.
MOST_POINTS = 400


@dataclass
class Plot:
    """A plot that is being drawn.

    Attributes:
        x: Range of the horizontal axis.
        y: Range of the vertical axis.
        title: For those who cannot see it, in a few words.
        description: For those who cannot see it, what it shows.
        width: Of the drawing, in its own units; text is 11 of them.
        height: Of the drawing.
        bare: Without labels, for small multiples.
        margin_left: Room for the labels of the vertical axis.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    title: str
    description: str
    width: float = 360
    height: float = 320
    bare: bool = False
    margin_left: float = MARGIN_LEFT
    parts: list[str] = field(default_factory=list)

    @property
    def _box(self) -> tuple[float, float, float, float]:
        if self.bare:
            return 3, 3, self.width - 3, self.height - 3
        return self.margin_left, MARGIN_TOP, self.width - MARGIN_RIGHT, self.height - MARGIN_BOTTOM

    def across(self, value: float) -> float:
        """Horizontal place of a value."""
        left, _, right, _ = self._box
        return left + (value - self.x[0]) / (self.x[1] - self.x[0]) * (right - left)

    def up(self, value: float) -> float:
        """Vertical place of a value."""
        _, top, _, bottom = self._box
        return bottom - (value - self.y[0]) / (self.y[1] - self.y[0]) * (bottom - top)

    def axes(
        self,
        x_label: str,
        y_label: str,
        x_ticks: Iterable[tuple[float, str]],
        y_ticks: Iterable[tuple[float, str]],
    ) -> None:
        """Grid lines with their values, and what the axes mean."""
        left, top, right, bottom = self._box
        for value, text in y_ticks:
            at = self.up(value)
            self._add(f'<path class="grid" d="M{left:.1f} {at:.1f}H{right:.1f}"/>')
            self.text(left - 6, at + 3.5, text, "end")
        for value, text in x_ticks:
            at = self.across(value)
            self._add(f'<path class="grid" d="M{at:.1f} {top:.1f}V{bottom:.1f}"/>')
            self.text(at, bottom + 15, text, "middle")
        self.text((left + right) / 2, self.height - 4, x_label, "middle", "axis-label")
        middle = (top + bottom) / 2
        self._add(
            f'<text class="axis-label" text-anchor="middle" '
            f'transform="translate(10 {middle:.1f}) rotate(-90)">{escape(y_label)}</text>'
        )

    def line(self, x: Sequence[float] | Floats, y: Sequence[float] | Floats, kind: str) -> None:
        """A curve through (x, y); ``kind`` is its CSS class."""
        self._add(f'<path class="line {kind}" d="M{self._points(x, y)}"/>')

    def band(self, x: Floats, low: Floats, high: Floats, kind: str = "band") -> None:
        """The area between two curves."""
        there, back = self._points(x, low), self._points(x[::-1], high[::-1])
        self._add(f'<path class="{kind}" d="M{there}L{back}Z"/>')

    def bar(self, start: float, end: float, top: float, kind: str) -> None:
        """A bar from the bottom of the plot up to a value."""
        x0, x1 = self.across(start), self.across(end)
        y0, y1 = self.up(top), self.up(self.y[0])
        self._add(
            f'<rect class="{kind}" x="{x0 + 0.7:.1f}" y="{y0:.1f}" '
            f'width="{max(x1 - x0 - 1.4, 0):.1f}" height="{max(y1 - y0, 0):.1f}"/>'
        )

    def dot(self, x: float, y: float, kind: str, radius: float = 3.5, hint: str = "") -> None:
        """A point, with a hint on hovering."""
        title = f"<title>{escape(hint)}</title>" if hint else ""
        self._add(
            f'<circle class="dot {kind}" cx="{self.across(x):.1f}" cy="{self.up(y):.1f}" '
            f'r="{radius:.1f}">{title}</circle>'
        )

    def text(
        self, x: float, y: float, text: str, anchor: str = "start", kind: str = "tick"
    ) -> None:
        """Text at a place in drawing units."""
        self._add(
            f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f"{escape(text)}</text>"
        )

    def render(self) -> Markup:
        """The SVG element."""
        frame = ""
        if self.bare:
            left, top, right, bottom = self._box
            frame = (
                f'<rect class="frame" x="{left}" y="{top}" '
                f'width="{right - left}" height="{bottom - top}"/>'
            )
        label = escape(f"{self.title}. {self.description}")
        # Every text that went in was escaped above.
        return Markup(  # noqa: S704
            f'<svg viewBox="0 0 {self.width:g} {self.height:g}" role="img" aria-label="{label}">'
            f"{frame}{''.join(self.parts)}</svg>"
        )

    def _points(self, x: Sequence[float] | Floats, y: Sequence[float] | Floats) -> str:
        keep = np.arange(len(x))
        if len(x) > MOST_POINTS:
            keep = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).round().astype(int))
        pairs = zip(np.asarray(x)[keep].tolist(), np.asarray(y)[keep].tolist(), strict=True)
        return "L".join(f"{self.across(a):.1f} {self.up(b):.1f}" for a, b in pairs)

    def _add(self, part: str) -> None:
        self.parts.append(part)


def percent_ticks(values: Iterable[float] = (0, 0.25, 0.5, 0.75, 1)) -> list[tuple[float, str]]:
    """Ticks of shares, written as per cent."""
    return [(value, f"{value:.0%}") for value in values]


def round_ticks(low: float, high: float, most: int = 5) -> list[tuple[float, str]]:
    """At most ``most`` + 1 ticks at round numbers within a range."""
    span = max(high - low, 1e-12)
    power = 10 ** np.floor(np.log10(span / most))
    step = next(float(f * power) for f in (1, 2, 5, 10) if span / (f * power) <= most)
    first = np.ceil(low / step - 1e-9)
    values = [float((first + i) * step) for i in range(most + 2)]
    return [(value, f"{value:.6g}") for value in values if value <= high + 1e-9 * span]
