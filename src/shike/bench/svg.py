"""A little SVG, written by hand: nothing to install, small in a diff, readable on light and dark pages."""

from __future__ import annotations

from html import escape

INK, PALE, PAPER = "#222", "#ccd", "#fff"
BLUE, ORANGE, GREEN, RED = "#4878a8", "#d08030", "#6a9a50", "#b04848"


class Drawing:
    """Shapes on a sheet of paper, from the upper left corner."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self._size = width, height
        self._title = title
        self._parts: list[str] = []

    def text(self, x: float, y: float, words: str, *, size: int = 13, anchor: str = "start", fill: str = INK) -> None:
        where = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
        self._parts.append(f'<text {where} fill="{fill}">{escape(words)}</text>')

    def box(self, x: float, y: float, width: float, height: float, words: str = "", *, fill: str = PAPER) -> None:
        """A rectangle with a word in its middle."""
        where = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}"'
        self._parts.append(f'<rect {where} rx="2" fill="{fill}" stroke="{INK}" stroke-width="0.8"/>')
        if words:
            ink = PAPER if fill in (BLUE, ORANGE, GREEN, RED) else INK
            self.text(x + width / 2, y + height / 2 + 4.5, words, anchor="middle", fill=ink)

    def bar(self, x: float, y: float, width: float, height: float, fill: str) -> None:
        """A rectangle without an edge."""
        where = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}"'
        self._parts.append(f'<rect {where} fill="{fill}"/>')

    def circle(self, x: float, y: float, radius: float, words: str = "", *, fill: str = PAPER) -> None:
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{fill}" stroke="{INK}"/>')
        if words:
            self.text(x, y + 4.5, words, anchor="middle", fill=PAPER if fill != PAPER else INK)

    def line(self, x1: float, y1: float, x2: float, y2: float, *, arrow: bool = False, fill: str = INK) -> None:
        end = ' marker-end="url(#arrow)"' if arrow else ""
        where = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        self._parts.append(f'<line {where} stroke="{fill}" stroke-width="1.2"{end}/>')

    def __str__(self) -> str:
        width, height = self._size
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif">'
        )
        tip = f'<path d="M0,0 L8,4 L0,8 z" fill="{INK}"/>'
        arrow = f'<marker id="arrow" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">{tip}</marker>'
        paper = f'<rect width="{width:.0f}" height="{height:.0f}" fill="{PAPER}"/>'
        return "\n".join(
            [head, f"<title>{escape(self._title)}</title>", f"<defs>{arrow}</defs>", paper, *self._parts, "</svg>\n"]
        )
