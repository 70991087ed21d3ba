"""Answers to a question that the assistant asked: which product, which place. Pure functions."""

import re

from shopfloor.graph import cues
from shopfloor.graph.plan import Plan, inventory_task, rule_plan
from shopfloor.graph.references import option_in
from shopfloor.graph.state import Pending

_NAMING_WORDS = 6


def pending_answer(text: str, lowered: str, pending: Pending) -> Plan | None:
    options = pending["options"]
    if cues.says_no(lowered):
        return rule_plan("supervisor", "declined the question", reply="declined")
    if cues.says_yes(lowered) and len(options) != 1:
        return rule_plan("supervisor", "yes to a question that needs a choice", reply="which" if options else "unclear")
    chosen: str | None = None
    if cues.says_yes(lowered):
        chosen = options[0]
    elif options and cues.is_short(text) and not (cues.is_question(lowered) and len(cues.words(text)) > 3):
        chosen = option_in(text, options)
    if chosen is None:
        return None
    value = pending["values"][options.index(chosen)]
    if pending["about"] == "place":
        task = inventory_task(_with_place(pending, value), sku=pending["sku"], city=value, size=pending["size"])
    else:
        question = _replaced(pending, value) or pending["question"]
        task = inventory_task(question, sku=value, city=pending["city"], size=pending["size"])
    return rule_plan("inventory", f"chose {chosen}", inventory=(task,))


def named_what_was_asked(text: str, lowered: str, pending: Pending) -> Plan | None:
    """An open "which product?" or "where are you?": a short message is the name."""
    if len(cues.words(text)) > _NAMING_WORDS or cues.asks_stock(lowered) or cues.refines(lowered):
        return None
    question = f"{text}: {pending['question']}" if pending["about"] == "product" else _with_place(pending, text)
    task = inventory_task(question, sku=pending["sku"], city=pending["city"], size=pending["size"])
    return rule_plan("inventory", "named what was asked for", inventory=(task,))


def _with_place(pending: Pending, place: str) -> str:
    return _replaced(pending, place) or f"{pending['question'].rstrip(' ?.!')} in {place}?"


def _replaced(pending: Pending, value: str) -> str | None:
    """The question with its unclear part replaced; None where that part is not in it."""
    unclear = pending["unclear"]
    if not unclear:
        return None
    replaced, count = re.subn(re.escape(unclear), lambda _: value, pending["question"], count=1, flags=re.IGNORECASE)
    return replaced if count else None
