"""``shopfloor eval inventory``: natural stock questions to structured answers, compared with gold field by field."""

from pydantic import BaseModel, JsonValue

from shopfloor.errors import ConfigError
from shopfloor.evaluation.compare import differing_fields, same
from shopfloor.evaluation.report import Artefacts
from shopfloor.evaluation.runner import Case, CaseScore, Suite, SuiteContext
from shopfloor.store.database import Database
from shopfloor.tools.inventory.agent import InventoryAgent
from shopfloor.tools.inventory.check_text import stray_numbers
from shopfloor.tools.schemas import InventoryAnswer


class StockCase(Case):
    """A question with its intent, slots and gold answer."""

    question: str
    intent: str
    slots: dict[str, JsonValue]
    gold: dict[str, JsonValue]


class StockQuestion(BaseModel):
    """All that reaches the agent."""

    question: str


class InventorySuite(Suite[StockCase, StockQuestion, InventoryAnswer]):
    """Metrics: exact (every field of gold), intent, slots, numbers_true (no number in the text but the facts')."""

    name = "inventory"
    shop = "demo"
    case_model = StockCase
    question_model = StockQuestion

    _database: Database | None = None
    _agent: InventoryAgent | None = None

    async def open(self, context: SuiteContext) -> None:
        """Open the shop and the agent; the rules need no model."""
        if context.catalogue is None:
            raise ConfigError(f"eval {self.name} needs a shop; give --shop DIR.")
        self._database = Database(context.catalogue)
        self._agent = InventoryAgent(self._database, None, context.settings)
        await self._agent.warm()

    async def predict(self, question: StockQuestion) -> InventoryAnswer:
        """Ask the agent."""
        assert self._agent is not None, "open() comes first"
        return await self._agent.answer(question.question)

    def score(self, case: StockCase, prediction: InventoryAnswer) -> CaseScore:
        """Compare intent, slots and every field of gold."""
        wrong = differing_fields(case.gold, prediction.structured)
        wrong_slots = [key for key, value in case.slots.items() if not same(value, prediction.slots.get(key), key)]
        intent = prediction.intent == case.intent
        stray = stray_numbers(prediction, case.question)
        notes = [f"intent {prediction.intent}"] if not intent else []
        notes += [f"fields {', '.join(wrong)}"] if wrong else []
        notes += [f"slots {', '.join(wrong_slots)}"] if wrong_slots else []
        notes += [f"numbers {', '.join(stray)}"] if stray else []
        return CaseScore(
            values={
                "exact": float(not wrong),
                "intent": float(intent),
                "slots": float(not wrong_slots),
                "numbers_true": float(not stray),
            },
            ok=not notes,
            expected={"intent": case.intent, "slots": case.slots, "gold": case.gold},
            got={
                "intent": prediction.intent,
                "status": prediction.status,
                "slots": prediction.slots,
                "structured": prediction.structured,
                "answer": prediction.answer,
            },
            slices={"intent": case.intent},
            note="; ".join(notes),
        )

    def artefacts(self) -> Artefacts:
        """Rules alone answer."""
        return Artefacts(runtime="rules")

    async def close(self) -> None:
        """Close the shop."""
        if self._database is not None:
            await self._database.close()


def make_suite() -> InventorySuite:
    """The suite, for the registry."""
    return InventorySuite()
