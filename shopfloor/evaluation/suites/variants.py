"""``eval variants``: choose the variant that a customer's request means."""

from pydantic import BaseModel, Field

from shopfloor.evaluation.runner import Case, CaseScore, Suite
from shopfloor.tools.recommendation.variant_choice import Variant, choose


class Choice(BaseModel):
    """A variant of a case."""

    item_id: str
    options: dict[str, str] = Field(default_factory=dict[str, str])
    price: float = 0.0


class VariantQuestion(BaseModel):
    """The request, the product, what the customer has now, and what can be had."""

    text: str = Field(max_length=8_000)
    notes: str | None = None
    product: str
    current_item: Choice | None = None
    candidates: list[Choice]


class VariantCase(VariantQuestion, Case):
    """The question and the variant that is meant."""

    gold: str


class VariantSuite(Suite[VariantCase, VariantQuestion, str]):
    """Rules over options; no shop is needed."""

    name = "variants"
    case_model = VariantCase
    question_model = VariantQuestion

    async def predict(self, question: VariantQuestion) -> str:
        """The id of the chosen variant."""
        now = question.current_item
        current = Variant(now.item_id, now.options, now.price) if now is not None else None
        candidates = [Variant(c.item_id, c.options, c.price) for c in question.candidates]
        return choose(question.text, question.product, current, candidates) or ""

    def score(self, case: VariantCase, prediction: str) -> CaseScore:
        """Exactly the variant meant."""
        right = prediction == case.gold
        options = {choice.item_id: choice.options for choice in case.candidates}
        return CaseScore(
            values={"exact": float(right)},
            ok=right,
            expected=str(options.get(case.gold)),
            got=str(options.get(prediction)),
            slices={"product": case.product},
        )


def make_suite() -> VariantSuite:
    """Made by the registry."""
    return VariantSuite()
