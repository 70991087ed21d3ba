"""``eval product-qa``: questions over a shop's variants, answered by rules and SQL alone."""

from contextlib import closing
from pathlib import Path

from pydantic import BaseModel, Field, JsonValue

from shopfloor.evaluation.compare import same
from shopfloor.evaluation.runner import Case, CaseScore, Suite, SuiteContext
from shopfloor.store.database import connect
from shopfloor.tools.recommendation.product_questions import ProductQuestions


class ProductQuestion(BaseModel):
    """A question in words."""

    question: str = Field(max_length=4_000)


class ProductCase(Case):
    """The question and its structured answer."""

    question: str = Field(max_length=4_000)
    gold: dict[str, JsonValue]
    intent: str = ""


class ProductSuite(Suite[ProductCase, ProductQuestion, dict[str, JsonValue]]):
    """Reads the variants once; every answer is computed from them."""

    name = "product-qa"
    shop = "required"
    case_model = ProductCase
    question_model = ProductQuestion

    async def open(self, context: SuiteContext) -> None:
        """Read the variants."""
        with closing(connect(context.catalogue or Path(), read_only=True)) as connection:
            self._questions = ProductQuestions(connection)

    async def predict(self, question: ProductQuestion) -> dict[str, JsonValue]:
        """The structured answer; empty when the question is not understood."""
        return self._questions.answer(question.question)

    def score(self, case: ProductCase, prediction: dict[str, JsonValue]) -> CaseScore:
        """Every field of gold must be equal."""
        right = same(case.gold, prediction)
        return CaseScore(
            values={"exact": float(right)},
            ok=right,
            expected=case.gold,
            got=prediction,
            slices={"intent": case.intent} if case.intent else {},
        )


def make_suite() -> ProductSuite:
    """Made by the registry."""
    return ProductSuite()
