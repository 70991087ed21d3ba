"""The owner's page: how it does, what it learned, what was decided; and the few things an owner can do about it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from shopfloor.errors import InputError
from shopfloor.http.dashboard_data import Dashboard, read_dashboard
from shopfloor.http.dashboard_progress import progress_marks
from shopfloor.http.dashboard_reviews import ReviewRequest, say
from shopfloor.http.openapi import EVENT_STREAM
from shopfloor.http.rollout_watch import RolloutWatch
from shopfloor.http.service import Service
from shopfloor.http.training import TrainingWatch
from shopfloor.local_models.artefact_check import check_artefact
from shopfloor.store.artefact_files import Kind
from shopfloor.store.artefacts import ChampionWatch, Registry
from shopfloor.store.database import Database
from shopfloor.store.rollouts import take_back_by_hand

LOOK_EVERY_S = 1.0
SAY_ANYWAY = 10  # looks, after which the page is sent even if only the clock moved
PING_S = 15
REASON = "from the dashboard"
ACTION_EXAMPLES = {"train": {"summary": "Train now", "value": {"action": "train"}}}


class ActionRequest(BaseModel):
    """Something to do.

    ``pin``, ``unpin`` and ``promote`` name an artefact; ``rollback`` an agent and a kind, or what is being tried.
    """

    model_config = ConfigDict(extra="forbid")

    action: Literal["train", "stop", "pin", "unpin", "promote", "rollback"]
    artefact: str | None = Field(default=None, pattern="^[0-9a-f]{4,64}$")
    agent: str | None = Field(default=None, min_length=1, max_length=64)
    kind: Kind | None = None


class Done(BaseModel):
    """It was done."""

    done: str


def dashboard_routes(service: Service, watch: TrainingWatch, rollouts: RolloutWatch, version: str) -> APIRouter:
    """The router of ``/api/dashboard``."""
    router = APIRouter(prefix="/api/dashboard", tags=["operation"])

    @router.get("", summary="The owner's page, as data")
    async def dashboard() -> Dashboard:  # pyright: ignore[reportUnusedFunction]
        """Agents, feedback, training runs with the gate's reports, what was learned, and every decision."""
        return await read_dashboard(service, watch, rollouts, version)

    @router.get(
        "/events",
        summary="The owner's page, as it changes",
        response_class=EventSourceResponse,
        responses={200: {"description": "Server-sent events; each is a Dashboard as JSON", "content": EVENT_STREAM}},
    )
    async def events() -> EventSourceResponse:  # pyright: ignore[reportUnusedFunction]
        """A Dashboard now, and again whenever something changed."""
        return EventSourceResponse(
            _follow(service, watch, rollouts, version), ping=PING_S, headers={"X-Accel-Buffering": "no"}
        )

    @router.post("/actions", summary="Do something")
    async def act(  # pyright: ignore[reportUnusedFunction]
        request: Annotated[ActionRequest, Body(openapi_examples=ACTION_EXAMPLES)],  # type: ignore[arg-type]
    ) -> Done:
        """Start or stop a training, pin what serves, give what is being tried to everybody, or take something back."""
        return Done(done=await _act(request, service, watch))

    @router.post("/reviews", summary="Accept or refuse a shopper's correction")
    async def review(request: ReviewRequest) -> Done:  # pyright: ignore[reportUnusedFunction]
        """An accepted correction counts as verified; a refused one is neither learned from nor kept for judging."""
        return Done(done=await say(request, service))

    return router


async def _follow(
    service: Service, watch: TrainingWatch, rollouts: RolloutWatch, version: str
) -> AsyncIterator[ServerSentEvent]:
    """Snapshots: gathered only when something was written, or became otherwise, and now and then for the clock's sake."""
    settings = service.settings
    written: ChampionWatch | None = None
    try:
        seen, silent = None, 0
        while True:
            if written is None and settings.state_path.is_file():  # not yet, while the service opens for the first time
                written = await asyncio.to_thread(ChampionWatch, settings.state_path, settings.artefacts_path)
            changed = written is not None and await asyncio.to_thread(written.changed)
            stands = (await service.state(), watch.busy, await asyncio.to_thread(progress_marks, settings.data))
            silent += 1
            if changed or stands != seen or silent >= SAY_ANYWAY:
                seen, silent = stands, 0
                page = await read_dashboard(service, watch, rollouts, version)
                yield ServerSentEvent(data=page.model_dump_json())
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        if written is not None:
            written.close()


async def _act(request: ActionRequest, service: Service, watch: TrainingWatch) -> str:
    if request.action == "train":
        await service.assistant()  # its databases are there from then on
        watch.train_now()
        return "The training has begun."
    if request.action == "stop":
        await watch.stop_training()
        return "The training is stopped; it goes on where it was when it is started again."
    await service.assistant()
    settings = service.settings
    async with Database(settings.state_path, readers=1) as state:
        registry = Registry(state, settings.artefacts_path)
        if request.action == "rollback":
            return await _take_back(request, registry)
        if request.artefact is None:
            raise InputError(f"artefact says what to {request.action}.")
        if request.action == "promote":
            return await _promote(request.artefact, registry)
        pinned = request.action == "pin"
        found = await registry.pin(request.artefact, pinned, REASON)
        return f"{found.hash[:12]} {'stays until it is unpinned' if pinned else 'may be replaced again'}."


async def _take_back(request: ActionRequest, registry: Registry) -> str:
    if request.artefact is not None:
        tried = await registry.get(request.artefact)
        await registry.state.write(
            lambda connection: take_back_by_hand(connection, tried.agent, tried.kind, REASON, tried.hash), durable=True
        )
        return "Everybody is served as before."
    if request.agent is None or request.kind is None:
        raise InputError("agent and kind say what to roll back, or artefact what is being tried.")
    before = await registry.rollback(request.agent, request.kind, REASON)
    return "The one before serves again." if before else "What was there at first serves again."


async def _promote(name: str, registry: Registry) -> str:
    found = await registry.get(name)
    if found.state != "challenger":
        raise InputError(f"{found.hash[:12]} is not being tried; `shopfloor adapters activate` lets anything serve.")
    await asyncio.to_thread(check_artefact, found.folder, None)
    await registry.activate(found.hash, REASON)
    return f"{found.hash[:12]} serves everybody now."
