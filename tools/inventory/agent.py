"""The inventory agent: free stock questions and single-product checks, answered from the database."""

import asyncio
import logging
from dataclasses import dataclass
from time import perf_counter
from typing import Literal
from uuid import uuid4

from opentelemetry import trace

from shopfloor.errors import ModelError, NotFoundError
from shopfloor.local_models.runtime import Runtime
from shopfloor.settings import Settings
from shopfloor.store.database import Database
from shopfloor.tools.inventory import queries
from shopfloor.tools.inventory.answering import answer as find_answer
from shopfloor.tools.inventory.check import Check, check_product
from shopfloor.tools.inventory.context import InventoryContext
from shopfloor.tools.inventory.locate import locate
from shopfloor.tools.inventory.model_slots import make_form, read_slots, wanted, with_slots
from shopfloor.tools.inventory.outcome import Outcome, Shop
from shopfloor.tools.inventory.parse import Parsed, PlaceRef, explained, parse_question
from shopfloor.tools.inventory.snapshot import ShopNames, read_names, read_revision
from shopfloor.tools.places import Gazetteer, load_gazetteer
from shopfloor.tools.schemas import (
    InventoryAnswer,
    InventoryRequest,
    InventoryResponse,
    LocationContext,
    ModelCard,
    ProductRef,
)

log = logging.getLogger(__name__)

OPENING_S = 0.1  # a question waits this long for place names that only have to be opened


class InventoryAgent:
    """Answers stock and store questions. Safe for many callers at once.

    Place names come from a file that the first start makes in a process of its own (seconds) and later starts open
    (milliseconds). Until it is there, questions whose every word is explained without it are answered all the same.
    """

    def __init__(
        self, catalogue: Database, runtime: Runtime | None, settings: Settings, *, gazetteer: Gazetteer | None = None
    ) -> None:
        self._catalogue = catalogue
        self._runtime = runtime
        self._settings = settings
        self._reads = runtime is not None and wanted(settings)
        self._tracer = trace.get_tracer("shopfloor")
        self._places = gazetteer
        self._reading_places: asyncio.Task[Gazetteer] | None = None
        self._names: ShopNames | None = None
        self._bare_names: ShopNames | None = None  # without other names of cities, until those are read
        self._building = asyncio.Lock()

    async def warm(self) -> None:
        """Read place names and the shop's names now, so that the first question does not wait for them."""
        await self._current_names()

    async def places(self) -> Gazetteer:
        """The place names, read once; for callers that must tell a city from another word."""
        return (await self._current_names())[1]

    async def forget_texts(self) -> None:
        """Let go of the words of questions that are remembered to be faster."""
        for names in (self._names, self._bare_names):
            if names is not None:
                names.matcher.forget()

    async def answer(self, question: str, context: InventoryContext | None = None) -> InventoryAnswer:
        """Answer a free question about stock or stores.

        Never raises for what a person may write: an unknown or ambiguous product or place comes back as
        ``status`` unknown or ask, with ``options``.
        """
        context = context or InventoryContext()
        started = perf_counter()
        with self._tracer.start_as_current_span("inventory.answer") as span:
            names, here, parsed = await self._parse(question, context)
            parsed_at = perf_counter()
            read = await self._read_by_model(parsed, names, here)
            parsed = read.parsed
            read_at = perf_counter()
            outcome, product, check = await self._catalogue.read(
                lambda connection: _answer(Shop(connection, names, self._settings), parsed, here)
            )
            span.set_attribute("inventory.slots_by", read.slots_by)
            span.set_attribute("inventory.intent", outcome.intent)
            span.set_attribute("inventory.status", outcome.status)
        done = perf_counter()
        timings = {"parse": (parsed_at - started) * 1000, "sql": (done - read_at) * 1000}
        if read.asked:
            timings["model"] = (read_at - parsed_at) * 1000
        return InventoryAnswer(
            status=outcome.status,
            intent=outcome.intent,
            slots=outcome.slots,
            structured=outcome.structured,
            answer=outcome.text,
            options=list(outcome.options),
            product=product,
            stock=self._response(check, outcome.text, timings) if check is not None else None,
            slots_by=read.slots_by,
            degraded=read.failed,
            timings_ms=timings,
        )

    async def _parse(self, question: str, context: InventoryContext) -> tuple[ShopNames, PlaceRef | None, Parsed]:
        """The shop's names, the place the conversation is about, and what the question means."""
        if self._places is None:
            task = self._read_places()
            await asyncio.wait([task], timeout=OPENING_S)
            if task.done():
                self._places = await task
        if self._places is None and not context.city:
            names = await self._names_with(Gazetteer())
            parsed = await asyncio.to_thread(parse_question, question, context, names, Gazetteer())
            if self._places is None and explained(parsed):
                return names, _place_of(context, names, Gazetteer()), parsed
        names, gazetteer = await self._current_names()
        parsed = await asyncio.to_thread(parse_question, question, context, names, gazetteer)
        return names, _place_of(context, names, gazetteer), parsed

    async def _read_by_model(self, parsed: Parsed, names: ShopNames, here: PlaceRef | None) -> "_Read":
        """The question with the model's slots, where it may be asked and the rules are unsure of the product."""
        if self._runtime is None or not self._reads:
            return _Read(parsed)
        form = await asyncio.to_thread(make_form, parsed, names)
        if form is None:
            return _Read(parsed)
        try:
            slots = await read_slots(form, self._runtime, self._settings.model_reading_timeout_s)
        except ModelError as error:
            trace.get_current_span().add_event("read without the model", {"reason": error.code})
            return _Read(parsed, asked=True, failed=True)
        if slots is None:
            return _Read(parsed, asked=True)
        _, gazetteer = await self._current_names()
        return _Read(with_slots(parsed, slots, names, gazetteer, here), "model", asked=True)

    async def check(self, request: InventoryRequest) -> InventoryResponse:
        """Stock of one product, at a place or everywhere.

        ``available`` is about the place asked for (its stores, or everywhere without one) and the quantity wanted;
        ``total_quantity`` counts all stores. Stores asked for come first, then others with stock, nearest first.

        Raises:
            NotFoundError: unknown SKU, store or city; ``matches`` holds the nearest.
        """
        started = perf_counter()
        with self._tracer.start_as_current_span("inventory.check"):
            names, gazetteer = await self._current_names()
            sku = names.matcher.sku_of(request.product_id)
            if sku is None:
                nearest = await asyncio.to_thread(names.matcher.nearest, request.product_id)
                said = f" The nearest are {', '.join(nearest)}." if nearest else ""
                raise NotFoundError(
                    f"There is no product {request.product_id} in the catalogue.{said}",
                    code="unknown_sku",
                    matches=nearest,
                )
            here = _requested_place(request.location_context, names, gazetteer)
            check = await self._catalogue.read(
                lambda connection: check_product(Shop(connection, names, self._settings), sku, request, here)
            )
        text = check.text
        if request.question:
            context = _context_of(request, sku, here)
            text = (await self.answer(request.question, context)).answer
        return self._response(check, text, {"total": (perf_counter() - started) * 1000})

    def _response(self, check: Check, text: str, timings: dict[str, float]) -> InventoryResponse:
        span = trace.get_current_span().get_span_context()
        return InventoryResponse(
            trace_id=f"{span.trace_id:032x}" if span.is_valid else uuid4().hex,
            answer_id=uuid4().hex,
            product=check.product,
            available=check.available,
            total_quantity=check.total_quantity,
            stores=check.stores,
            analysis=check.analysis,
            alternatives=check.alternatives,
            answer=text,
            model=self._model_card(),
            timings_ms=timings,
        )

    def _model_card(self) -> ModelCard:
        if self._runtime is None:
            return ModelCard(name="none", hash="", profile=self._settings.profile, runtime="none")
        info = self._runtime.info
        return ModelCard(
            name=info.name, hash=info.form_hash, adapter=info.adapter, profile=info.profile, runtime=info.runtime
        )

    async def _current_places(self) -> Gazetteer:
        """The place names; a caller that is cancelled does not stop the reading for others."""
        if self._places is None:
            self._places = await asyncio.shield(self._read_places())
        return self._places

    def _read_places(self) -> "asyncio.Task[Gazetteer]":
        """The task that opens the place names, started once; again after a failure."""
        task = self._reading_places
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.create_task(asyncio.to_thread(load_gazetteer, self._settings.models_path))
            self._reading_places = task
        return task

    async def _current_names(self) -> tuple[ShopNames, Gazetteer]:
        """The shop's names at the catalogue's present revision, and the place names."""
        gazetteer = await self._current_places()
        return await self._names_with(gazetteer), gazetteer

    async def _names_with(self, gazetteer: Gazetteer) -> ShopNames:
        """The shop's names with those that ``gazetteer`` adds."""
        revision = await self._catalogue.read(read_revision)
        names = self._kept(gazetteer)
        if names is not None and names.revision == revision:
            return names
        async with self._building:
            names = self._kept(gazetteer)
            if names is None or names.revision != revision:
                before = self._bare_names if self._bare_names and self._bare_names.revision == revision else None
                names = await self._catalogue.read(lambda connection: read_names(connection, gazetteer, before))
                self._names, self._bare_names = (names, None) if gazetteer else (self._names, names)
                log.info("names of the shop read", extra={"products": len(names.matcher.products)})
            return names

    def _kept(self, gazetteer: Gazetteer) -> ShopNames | None:
        return self._names if gazetteer else self._bare_names


@dataclass(frozen=True, slots=True)
class _Read:
    """A question as it is answered: by the rules, or with the model's slots."""

    parsed: Parsed
    slots_by: Literal["rules", "model"] = "rules"
    asked: bool = False  # whether the model was
    failed: bool = False  # whether it failed


def _answer(shop: Shop, parsed: Parsed, here: PlaceRef | None) -> tuple[Outcome, ProductRef | None, Check | None]:
    """One consistent read: the outcome, its product and that product's stock."""
    outcome = find_answer(parsed, shop, here)
    if outcome.sku is None:
        return outcome, None, None
    product = queries.product(shop.connection, outcome.sku)
    if product is None:
        return outcome, None, None
    ref = ProductRef(sku=product.sku, name=product.name, price=product.price, currency=product.currency)
    if outcome.status != "answered":
        return outcome, ref, None
    place = next((ref for ref in parsed.places if ref.store_ids), here)
    request = InventoryRequest(product_id=product.sku, size=parsed.size, quantity=max(1, parsed.amount or 1))
    return outcome, ref, check_product(shop, product.sku, request, place)


def _place_of(context: InventoryContext, names: ShopNames, gazetteer: Gazetteer) -> PlaceRef | None:
    """The place a conversation is about."""
    if context.store_id is not None and context.store_id in names.stores:
        return PlaceRef(names.stores[context.store_id].label, "here", (context.store_id,))
    if context.city:
        return locate(context.city, names, gazetteer)
    return None


def _requested_place(location: LocationContext | None, names: ShopNames, gazetteer: Gazetteer) -> PlaceRef | None:
    """The place of a request.

    Raises:
        NotFoundError: no such store or city.
    """
    if location is None:
        return None
    if location.store_id is not None:
        if location.store_id not in names.stores:
            known = tuple(names.stores)[:3]
            raise NotFoundError(
                f"There is no store {location.store_id}; ask without a store to see them all.",
                code="unknown_store", matches=known,
            )  # fmt: skip
        return PlaceRef(location.store_id, "here", (location.store_id,))
    if location.city is not None:
        ref = locate(location.city, names, gazetteer)
        if ref.kind == "unknown":
            said = f" Did you mean {' or '.join(ref.nearest)}?" if ref.nearest else ""
            raise NotFoundError(f"{location.city} is no place I know.{said}", code="unknown_city", matches=ref.nearest)
        return ref
    return None


def _context_of(request: InventoryRequest, sku: str, here: PlaceRef | None) -> InventoryContext:
    location = request.location_context
    one = here is not None and len(here.store_ids) == 1
    return InventoryContext(
        sku=sku,
        shown=(sku,),
        store_id=here.store_ids[0] if here is not None and one else None,
        city=here.text if here is not None and not one else None,
        size=request.size,
        quantity=request.quantity,
        latitude=location.latitude if location else None,
        longitude=location.longitude if location else None,
        user_id=request.user_id,
    )
