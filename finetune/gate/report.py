"""The gate's page: JSON for programs, Markdown for people, and a plot of the differences with their intervals (SVG)."""

import json
from html import escape
from pathlib import Path

from shopfloor.finetune.gate.statistics import Comparison
from shopfloor.finetune.gate.verdict import Judgement
from shopfloor.local_models.locking import write_atomically

WORDS = {"promote": "Promote", "reject": "Reject", "not_enough_evidence": "Not enough evidence"}
COLOURS = {"good": "#1b7f4d", "bad": "#b3261e", "open": "#5b6270"}

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 720, 190, 130, 30, 56


def write_report(folder: Path, judgement: Judgement) -> list[Path]:
    """Write ``report.json``, ``report.md`` and ``plot.svg`` into ``folder``; each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "report.json": json.dumps(judgement.to_json(), indent=2, ensure_ascii=False) + "\n",
        "report.md": to_markdown(judgement),
        "plot.svg": to_svg(judgement),
    }
    for name, text in content.items():
        write_atomically(folder / name, text.encode())
    return [folder / name for name in content]


def to_markdown(judgement: Judgement) -> str:
    """One page."""
    main = judgement.main
    worse = {one.comparison.name for one in judgement.guarded if one.worse}
    lines = [
        f"# {WORDS[judgement.verdict]}",
        "",
        judgement.reason,
        "",
        "![Difference of challenger and champion on each suite](plot.svg)",
        "",
        "| suite | cases | champion | challenger | difference | 95 % interval | detectable | better / worse | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_line(suite, suite is main, suite.name in worse) for suite in judgement.suites),
        "",
        "Both answered the same cases. Interval: percentile bootstrap over cases. Detectable: the true gain that these",
        "cases would show four times in five. Promoted is what gains on the main suite, its interval above zero, while no",
        "guarded suite gets worse.",
        "",
        *(f"- {name}: {value}" for name, value in judgement.about.items()),
    ]
    return "\n".join(lines) + "\n"


def to_svg(judgement: Judgement) -> str:
    """Differences with their intervals, in points, one suite a row, a line at zero."""
    suites = judgement.suites
    reach = max(0.01, *(abs(edge) for suite in suites for edge in (*suite.ci, suite.mde))) * 1.1
    height = _TOP + _ROW * len(suites) + 34
    span = _WIDTH - _LEFT - _RIGHT

    def across(value: float) -> float:
        return round(_LEFT + span * (value + reach) / (2 * reach), 1)

    bottom = _TOP + _ROW * len(suites)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" font-family="sans-serif" font-size="13">',
        f"<title>{escape(WORDS[judgement.verdict])}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="24" font-size="16" font-weight="bold">{escape(WORDS[judgement.verdict])}</text>',
        f'<text x="16" y="44" fill="{COLOURS["open"]}">Challenger minus champion, points; bars are 95 % intervals</text>',
        f'<line x1="{across(0)}" x2="{across(0)}" y1="{_TOP}" y2="{bottom}" stroke="#9aa0aa"/>',
    ]
    for number, suite in enumerate(suites):
        middle = _TOP + _ROW * number + _ROW / 2
        low, high = suite.ci
        colour = COLOURS["good" if low > 0 else "bad" if high < 0 else "open"]
        weight = ' font-weight="bold"' if number == 0 else ""
        parts.append(
            f'<text x="16" y="{middle + 4}"{weight}>{escape(suite.name)} ({suite.n})</text>'
            f'<line x1="{across(low)}" x2="{across(high)}" y1="{middle}" y2="{middle}" stroke="{colour}" stroke-width="4"/>'
            f'<circle cx="{across(suite.diff)}" cy="{middle}" r="5" fill="{colour}"/>'
            f'<text x="{_WIDTH - 16}" y="{middle + 4}" text-anchor="end">'
            f"{100 * suite.diff:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]</text>"
        )
    for tick in (-reach / 1.1, 0.0, reach / 1.1):
        parts.append(
            f'<text x="{across(tick)}" y="{bottom + 18}" text-anchor="middle" fill="{COLOURS["open"]}">{100 * tick:+.1f}</text>'
        )
    return "".join((*parts, "</svg>\n"))


def _line(suite: Comparison, is_main: bool, worse: bool) -> str:
    low, high = suite.ci
    note = "main" if is_main else "**worse**" if worse else "guarded"
    return (
        f"| {suite.name} | {suite.n} | {suite.champion:.3f} | {suite.challenger:.3f} | {100 * suite.diff:+.1f} | "
        f"{100 * low:+.1f} to {100 * high:+.1f} | {100 * suite.mde:.1f} | {suite.better} / {suite.worse} | {note} |"
    )
