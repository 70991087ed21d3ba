"""What a simulation came to: JSON for programs, a page for people, a plot of quality by generation (SVG)."""

import itertools
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from shopfloor.local_models.locking import write_atomically

REPORT_FILES = ("report.json", "report.md", "plot.svg")
MEASURES = {
    "routing": "Routing: messages that the right agents answered",
    "bought": "Bought: wishes that end in a purchase",
}
LINES = {"frozen": "#5b6270", "retrieval": "#b3621e", "oracle": "#1b7f4d"}
_SERVED = "#1f4fbf"
_WIDTH, _LEFT, _RIGHT, _TOP, _PANEL, _GAP = 760, 60, 150, 60, 220, 60

Report = Mapping[str, Any]


def write_report(folder: Path, report: Report) -> list[Path]:
    """Write ``report.json``, ``report.md`` and ``plot.svg``; each whole or not at all."""
    content = {
        "report.json": json.dumps(report, indent=2, ensure_ascii=False) + "\n",
        "report.md": to_markdown(report),
        "plot.svg": to_svg(report),
    }
    for name, text in content.items():
        write_atomically(folder / name, text.encode())
    return [folder / name for name in REPORT_FILES]


def to_markdown(report: Report) -> str:
    """One page."""
    plan, generations = report["plan"], report["generations"]
    start = generations[0]
    lines = [
        f"# {report['days']} simulated days: {report['conclusion']['words']}",
        "",
        report["conclusion"]["reason"],
        "",
        "![Quality by generation](plot.svg)",
        "",
        "| generation | day | feedback | verdict | routing | difference to the start | bought | difference to the start |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_line(number, one) for number, one in enumerate(generations)),
        "",
        "| compared with | routing | bought | NDCG@10 |",
        "| --- | --- | --- | --- |",
        *(
            f"| {words} | {_cell(values, 'routing')} | {_cell(values, 'bought')} | {_cell(values, 'ndcg@10')} |"
            for words, values in (
                ("frozen start", start["baseline"]["frozen"]),
                ("retrieval: a search box for every message", start["baseline"]["retrieval"]),
                ("oracle: knows every route and taste", start["oracle"]),
            )
        ),
        "",
        "Routing by the way of asking (plain; the shop's own words; own words in sentences that nobody had said before):",
        "",
        "| generation | " + " | ".join(f"{style} ({one['n']})" for style, one in start["slices"].items()) + " |",
        "| --- |" + " --- |" * len(start["slices"]),
        *(
            f"| {number} | " + " | ".join(f"{part['routing']:.3f}" for part in one["slices"].values()) + " |"
            for number, one in enumerate(generations)
            if one["slices"]
        ),
        "",
        f"Measured on {report['withheld']} messages of as many withheld shoppers, which neither training nor the gate saw;",
        "intervals are 95 %, paired bootstrap over messages.",
        "",
        f"- {report['requests']} requests, {report['failed_requests']} failed",
        f"- {report['feedback']} reactions, {report['verified']} of them verified by the simulated owner",
        *(f"- {line}" for line in _turned_away(report["turned_away"])),
        f"- world {plan['world']}, seed {plan['seed']}, shop {plan['shop'] or 'demo'}, {report['seconds']:.0f} s",
    ]
    return "\n".join(lines) + "\n"


def to_svg(report: Report) -> str:
    """One panel a measure: what served, by feedback given, with its interval; the others as level lines."""
    generations = [one for one in report["generations"] if one["metrics"]]
    height = _TOP + len(MEASURES) * (_PANEL + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" font-family="sans-serif" font-size="13">',
        f"<title>{escape(report['conclusion']['words'])}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="24" font-size="16" font-weight="bold">Quality by generation, on {report["withheld"]} withheld messages</text>',
        (
            f'<text x="16" y="44" fill="#5b6270">{escape(report["conclusion"]["reason"])}'
            " Filled: serves from here on; hollow: trained, not promoted.</text>"
        ),
    ]
    for number, (name, words) in enumerate(MEASURES.items()):
        parts.extend(_panel(generations, name, words, _TOP + number * (_PANEL + _GAP) + 24))
    return "".join((*parts, "</svg>\n"))


def _panel(generations: Sequence[Mapping[str, Any]], name: str, words: str, top: int) -> list[str]:
    start = generations[0]
    most = max(1, *(int(one["n_feedback"]) for one in generations))
    levels = {
        "frozen": start["baseline"]["frozen"][name],
        "retrieval": start["baseline"]["retrieval"][name],
        "oracle": start["oracle"][name],
    }
    bottom, span = top + _PANEL - 40, _WIDTH - _LEFT - _RIGHT

    def across(count: float) -> float:
        return round(_LEFT + span * count / most, 1)

    def up(value: float) -> float:
        return round(bottom - (bottom - top) * min(1.0, max(0.0, value)), 1)

    parts = [f'<text x="{_LEFT}" y="{top - 8}" font-weight="bold">{escape(words)}</text>']
    for tick in (0.0, 0.5, 1.0):
        parts.append(
            f'<line x1="{_LEFT}" x2="{_LEFT + span}" y1="{up(tick)}" y2="{up(tick)}" stroke="#e2e4e8"/>'
            f'<text x="{_LEFT - 8}" y="{up(tick) + 4}" text-anchor="end" fill="#5b6270">{tick:.1f}</text>'
        )
    for (line, value), place in zip(levels.items(), _apart([up(value) for value in levels.values()]), strict=True):
        parts.append(
            f'<line x1="{_LEFT}" x2="{_LEFT + span}" y1="{up(value)}" y2="{up(value)}" stroke="{LINES[line]}" stroke-dasharray="5 4"/>'
            f'<text x="{_LEFT + span + 8}" y="{place + 4}" fill="{LINES[line]}">{line} {value:.3f}</text>'
        )
    points = [(across(one["n_feedback"]), up(one["metrics"][name])) for one in generations]
    steps = [(points[place][0], points[place - 1][1]) for place in range(1, len(points))]
    path = [points[0], *(point for pair in zip(steps, points[1:], strict=True) for point in pair)]
    parts.append(
        f'<polyline points="{" ".join(f"{x},{y}" for x, y in path)}" fill="none" stroke="{_SERVED}" stroke-width="2"/>'
    )
    for one, (x, y) in zip(generations, points, strict=True):
        low, high = one["ci"][name]
        filled = _SERVED if one["verdict"] in ("start", "promoted", "changed") else "#ffffff"
        parts.append(
            f'<line x1="{x}" x2="{x}" y1="{up(low)}" y2="{up(high)}" stroke="{_SERVED}" stroke-width="1.5"/>'
            f'<circle cx="{x}" cy="{y}" r="5" fill="{filled}" stroke="{_SERVED}" stroke-width="2">'
            f"<title>{escape(one['verdict'].replace('_', ' '))}: {one['metrics'][name]:.3f}</title></circle>"
        )
    for count in (0, most):
        parts.append(
            f'<text x="{across(count)}" y="{bottom + 20}" text-anchor="middle" fill="#5b6270">{count} reactions</text>'
        )
    return parts


def _apart(places: Sequence[float], least: float = 15.0) -> list[float]:
    """Heights of labels, moved down where two would lie on one another."""
    order = sorted(range(len(places)), key=lambda place: places[place])
    moved = list(places)
    for before, after in itertools.pairwise(order):
        moved[after] = max(moved[after], moved[before] + least)
    return moved


def _line(number: int, one: Mapping[str, Any]) -> str:
    verdict = one["verdict"].replace("_", " ")
    cells = [f"{number}", f"{one['day']}", f"{one['n_feedback']}", verdict]
    for name in MEASURES:
        cells.append(_cell(one["metrics"], name))
        differences: Mapping[str, Sequence[float]] = one["difference"] or {}
        difference = differences.get(name)
        cells.append(_points(difference) if difference else "")
    return "| " + " | ".join(cells) + " |"


def _cell(values: Mapping[str, float] | None, name: str) -> str:
    return f"{values[name]:.3f}" if values and name in values else ""


def _points(difference: Sequence[float]) -> str:
    return f"{100 * difference[0]:+.1f} ({100 * difference[1]:+.1f} to {100 * difference[2]:+.1f})"


def _turned_away(turned: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for agent, one in turned.items():
        for who in ("honest", "dishonest"):
            if one[who]["reactions"]:
                reasons = ", ".join(f"{reason} {count}" for reason, count in one[who]["reasons"].items())
                lines.append(
                    f"{agent}: of {one[who]['reactions']} {who} reactions {one[who]['turned_away']} turned away by the rules"
                    f" against misuse, {one[who]['not_usable']} said nothing to learn from ({reasons or 'none'})"
                )
    return lines
