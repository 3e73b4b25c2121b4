"""The calibration curve as a picture: the probability of each verdict against the true share, a panel a sampling.

Verdicts differ by colour, by line and by marker, so that the picture reads without colour.
"""

from dataclasses import dataclass
from xml.sax.saxutils import escape

from phusong.verifier.coverage.records import Verdict

PANEL_WIDTH, PANEL_HEIGHT = 300, 240
MARGIN_LEFT, MARGIN_TOP, GAP, LEGEND_HEIGHT = 52, 34, 62, 78
INK, RULE = "#333333", "#9a9a9a"
MARKER_SIZE = 3.6


@dataclass(frozen=True, slots=True)
class Style:
    """How a verdict's line looks."""

    colour: str
    dashes: str
    marker: str
    words: str


STYLES = {
    Verdict.COVERED: Style("#1B6CA8", "none", "circle", "COVERED"),
    Verdict.NOT_COVERED: Style("#B8350B", "7 4", "triangle", "NOT_COVERED"),
    Verdict.INSUFFICIENT: Style("#767676", "2 3", "ring", "INSUFFICIENT"),
}


@dataclass(frozen=True, slots=True)
class Panel:
    """One sampling: for each true share, in permille, the share of sites that came out so."""

    title: str
    permille: list[int]
    probability: dict[Verdict, list[float]]


def picture(panels: list[Panel], asked_permille: int, false_max: float) -> str:
    """Return the SVG of all panels side by side; the law's limits are drawn as thin rules."""
    width = MARGIN_LEFT + len(panels) * (PANEL_WIDTH + GAP)
    height = MARGIN_TOP + PANEL_HEIGHT + LEGEND_HEIGHT
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
            f' font-family="sans-serif" font-size="12" fill="{INK}">'
        ),
        "<title>Probability of each verdict against the true share of the footprint</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for number, panel in enumerate(panels):
        left = MARGIN_LEFT + number * (PANEL_WIDTH + GAP)
        parts.append(f'<g transform="translate({left},{MARGIN_TOP})">')
        parts += _axes(panel, asked_permille, false_max)
        for verdict, style in STYLES.items():
            parts += _line(panel, panel.probability[verdict], style)
        parts.append("</g>")
    parts += _legend(height)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _across(panel: Panel, permille: float) -> float:
    first, last = panel.permille[0], panel.permille[-1]
    return round((permille - first) / (last - first) * PANEL_WIDTH, 1)


def _down(probability: float) -> float:
    return round((1 - probability) * PANEL_HEIGHT, 1)


def _axes(panel: Panel, asked_permille: int, false_max: float) -> list[str]:
    asked, limit = _across(panel, asked_permille), _down(false_max)
    parts = [
        f'<text x="0" y="-12" font-weight="bold">{escape(panel.title)}</text>',
        f'<rect width="{PANEL_WIDTH}" height="{PANEL_HEIGHT}" fill="none" stroke="{RULE}"/>',
        f'<path d="M{asked} 0V{PANEL_HEIGHT}M0 {limit}H{PANEL_WIDTH}" stroke="{RULE}" stroke-width="0.8"/>',
    ]
    first, last = panel.permille[0], panel.permille[-1]
    parts += [
        f'<text x="{_across(panel, permille)}" y="{PANEL_HEIGHT + 16}" text-anchor="middle">{permille // 10} %</text>'
        for permille in range(first, last + 1, 50)
    ]
    parts += [
        f'<text x="-6" y="{_down(fifth / 5) + 4}" text-anchor="end">{fifth * 20} %</text>'
        for fifth in range(6)
    ]
    return parts


def _line(panel: Panel, probability: list[float], style: Style) -> list[str]:
    points = [
        (_across(panel, permille), _down(share))
        for permille, share in zip(panel.permille, probability, strict=True)
    ]
    path = "M" + "L".join(f"{x} {y}" for x, y in points)
    line = (
        f'<path d="{path}" fill="none" stroke="{style.colour}" stroke-width="1.8"'
        f' stroke-dasharray="{style.dashes}"/>'
    )
    return [line, *(_marker(x, y, style) for x, y in points)]


def _marker(x: float, y: float, style: Style) -> str:
    size = MARKER_SIZE
    if style.marker == "triangle":
        corners = f"M{x:.1f} {y - size:.1f}l{size} {2 * size}h{-2 * size}z"
        return f'<path d="{corners}" fill="{style.colour}"/>'
    fill = style.colour if style.marker == "circle" else "#ffffff"
    return f'<circle cx="{x}" cy="{y}" r="{size}" fill="{fill}" stroke="{style.colour}"/>'


def _legend(height: int) -> list[str]:
    parts = [
        (
            f'<text x="{MARGIN_LEFT}" y="{height - 36}">across: true share of the place cells that meet the floor;'
            " up: share of sites with the verdict; rules: the share asked, and 5 %</text>"
        )
    ]
    for number, style in enumerate(STYLES.values()):
        left, middle = MARGIN_LEFT + number * 160, height - 14
        parts += [
            (
                f'<path d="M{left} {middle}h36" stroke="{style.colour}" stroke-width="1.8"'
                f' stroke-dasharray="{style.dashes}"/>'
            ),
            _marker(left + 18, middle, style),
            f'<text x="{left + 44}" y="{middle + 4}">{style.words}</text>',
        ]
    return parts
