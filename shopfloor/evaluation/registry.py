"""The suites by name; a suite is imported when it is run, so an unused one costs nothing."""

import importlib
from collections.abc import Mapping
from typing import Any

from shopfloor.errors import InputError
from shopfloor.evaluation.runner import Suite

SUITES: Mapping[str, str] = {
    "routing": "shopfloor.evaluation.suites.routing",
    "ranking": "shopfloor.evaluation.suites.ranking",
    "next-basket": "shopfloor.evaluation.suites.next_basket",
    "requests": "shopfloor.evaluation.suites.requests",
    "variants": "shopfloor.evaluation.suites.variants",
    "product-qa": "shopfloor.evaluation.suites.product_qa",
    "inventory": "shopfloor.evaluation.suites.inventory",
    "stores": "shopfloor.evaluation.suites.stores",
    "chat": "shopfloor.evaluation.suites.chat",
    "grounding": "shopfloor.evaluation.suites.grounding",
    "explanations": "shopfloor.evaluation.suites.explanations",
}


def make_suite(name: str) -> Suite[Any, Any, Any]:
    """Import a suite and make it.

    Raises:
        InputError: there is no suite of that name.
    """
    module = SUITES.get(name)
    if module is None:
        raise InputError(f"There is no suite {name!r}; choose one of {', '.join(SUITES)}.", code="unknown_suite")
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise InputError(f"The suite {name!r} is not in this version.", code="unknown_suite") from error
    suite: Suite[Any, Any, Any] = loaded.make_suite()
    return suite
