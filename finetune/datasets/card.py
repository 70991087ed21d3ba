"""The dataset's card: what is in it, where it comes from, what may be done with it. No text and no user is named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shopfloor.finetune.datasets.rows import Row

GEMINI_NOTE = "rows on Gemini's decisions: Google's terms hold; what is trained on them derives from Gemini"


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a dataset holds: its rows, how many in each part, and how many reactions were dropped for each reason."""

    hash: str
    agent: str
    rows: Sequence[Row]
    counts: Mapping[str, int]
    reasons: Mapping[str, int]
    held_out: int


def card_of(built: CardFacts, licence: str) -> dict[str, Any]:
    """The card as JSON: counts, lineage, licence."""
    sources = [source for row in built.rows for source in row.sources]
    days = sorted(row.at[:10] for row in built.rows)
    from_gemini = any(row.basis == "gemini" for row in built.rows)
    return {
        "hash": built.hash,
        "agent": built.agent,
        "rows": len(built.rows),
        "parts": dict(built.counts),
        "users": len({source.user_id for source in sources}),
        "days": [days[0], days[-1]] if days else [],
        "feedback_ids": sorted({source.feedback_id for source in sources if source.feedback_id}),
        "trace_ids": sorted({source.trace_id for source in sources}),
        "dropped": dict(built.reasons),
        "held_out_for_gate": built.held_out,
        "licence": licence,
        "notes": [GEMINI_NOTE] if from_gemini else [],
    }


def card_text(card: dict[str, Any]) -> str:
    """The card for a person."""
    lines = [
        f"# Dataset {card['hash'][:12]} ({card['agent']})",
        "",
        f"{card['rows']} rows from {card['users']} users: "
        + ", ".join(f"{part} {count}" for part, count in card["parts"].items())
        + (f"; {card['days'][0]} to {card['days'][1]}." if card["days"] else "."),
        "",
        f"Licence: {card['licence']}.",
        *(f"Note: {note}." for note in card["notes"]),
        "",
        "Made from the reactions and turns whose ids are in card.json. E-mail addresses, numbers of phones, cards and",
        "accounts, addresses and announced names are taken out; a name nobody announced may remain.",
        "",
        "| dropped because | reactions |",
        "| --- | --- |",
        *(f"| {reason} | {count} |" for reason, count in card["dropped"].items()),
    ]
    return "\n".join(lines) + "\n"
