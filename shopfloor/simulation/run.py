"""Plays the days: shoppers ask and react, the owner checks, the service trains by itself, withheld shoppers measure."""

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shopfloor.demo.chance import stream
from shopfloor.errors import ShopfloorError
from shopfloor.http.training import AGENT, is_due
from shopfloor.settings import Settings
from shopfloor.simulation.behaviour import Answer, Reactions, dishonest, heedless, honest
from shopfloor.simulation.casting import Caller, Cast, Stage, set_stage
from shopfloor.simulation.client import ShopClient, Tally
from shopfloor.simulation.nights import Ended, count_feedback, ended_runs, owner_checks, pass_night
from shopfloor.simulation.quality import (
    AT_ONCE,
    Measures,
    by_style,
    differences,
    intervals,
    means,
    measure,
    oracle,
    retrieval,
)
from shopfloor.simulation.record import Record, SimulationPlan, Visit
from shopfloor.simulation.report import write_report
from shopfloor.simulation.serving import RunningService, serving
from shopfloor.simulation.turned_away import turned_away
from shopfloor.store.artefacts import Registry
from shopfloor.store.database import Database, connect
from shopfloor.store.loop import usable_since

START_S = 50.0
TRAIN_S = 900.0
LOOK_S = 0.5

Measured = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listener:
    """Hears how far a simulation is: ``begin(units)``, ``tick()`` a unit of work done, ``say(what is going on)``."""

    begin: Callable[[int], None]
    tick: Callable[[], None]
    say: Callable[[str], None]


class Simulation:
    """One simulation in one folder.

    Args:
        settings: where the models lie; the rest of the shop's own settings is left alone.
        plan: what to play.
        folder: where everything of it lies.
        listener: hears how far it is.
    """

    def __init__(self, settings: Settings, plan: SimulationPlan, folder: Path, listener: Listener) -> None:
        self._record = Record(folder, plan)
        self._plan = plan
        self._settings = settings
        self._listener = listener
        progress = self._record.progress
        self._tally = Tally(progress.sent)
        self._tally.failed.update(progress.failed)
        self._began = time.monotonic() - progress.seconds
        self._counted_anew = 0

    async def run(self) -> dict[str, Any]:
        """Play what is left to play, write the report, and return it.

        Raises:
            ShopfloorError: the service could not be started, or stopped.
        """
        plan, record = self._plan, self._record
        self._listener.say("Preparing the shop")
        stage = await asyncio.to_thread(set_stage, self._settings, plan, record.folder)
        cast = Cast(plan, stage.scene)
        self._begin_work(cast)
        own = self._settings.model_copy(update={"data": record.data, "shop": stage.shop})
        async with serving(self._settings, record.folder, stage.shop, plan) as service:
            client = ShopClient(service.base, self._tally)
            try:
                if not record.progress.generations:
                    await self._first(client, cast, stage)
                for day in range(record.progress.days + 1, plan.days + 1):
                    await self._day(day, client, cast, stage, service, own)
            finally:
                await client.close()
        self._listener.say("Writing the report")
        report = await self._report(cast, stage, own)
        await asyncio.to_thread(write_report, record.folder, report)
        return report

    def _begin_work(self, cast: Cast) -> None:
        record, plan = self._record, self._plan
        visits = plan.days * plan.visits - len(record.visits)
        start = 0 if record.progress.generations else len(cast.withheld)
        # About every other training is promoted, and what is promoted is measured.
        measured = (plan.days - record.progress.days) * len(cast.withheld) // 2
        self._listener.begin(max(0, visits) + start + measured)

    # Days -------------------------------------------------------------------------------------------------------------

    async def _first(self, client: ShopClient, cast: Cast, stage: Stage) -> None:
        """The frozen start, and what it is compared with."""
        self._listener.say("Measuring the start")
        found = await measure(client, cast.withheld, ranking=True, tick=self._listener.tick)
        box = await asyncio.to_thread(retrieval, stage.catalogue, cast.withheld)
        entry = {
            "day": 0,
            "run_id": None,
            "n_feedback": 0,
            "verdict": "start",
            "reason": "",
            "artefact": None,
            "rows": 0,
            "train_s": None,
            **self._measured(found, found, cast),
            "baseline": {
                "frozen": means(found),
                "retrieval": means(box),
                "difference_to_retrieval": differences(found, box, self._plan.seed),
            },
            "oracle": means(oracle(cast.withheld)),
            "answers": found,
        }
        self._record.progress.generations.append(entry)
        self._save()

    async def _day(
        self, day: int, client: ShopClient, cast: Cast, stage: Stage, service: RunningService, own: Settings
    ) -> None:
        record, plan = self._record, self._plan
        self._listener.say(f"Day {day}: shoppers")
        gate = asyncio.Semaphore(AT_ONCE)

        async def visit(number: int) -> None:
            async with gate:
                await self._visit(cast.visit(day, number), day, number, client, stage)
                self._listener.tick()

        await self._send_returns(day, client)
        async with asyncio.TaskGroup() as group:
            for number in range(plan.visits):
                if (day, number) not in record.visits:
                    group.create_task(visit(number))
        if plan.owner:
            truths = {one.trace_id: one.asked for one in record.visits.values() if one.day == day and one.trace_id}
            rng = stream(plan.seed, f"owner {day}")
            owner = record.folder / "owner"
            record.progress.verified += await owner_checks(record.state, owner, truths, plan.owner, day, rng)
        self._listener.say(f"Day {day}: training")
        await self._trained(service)
        await self._generations(day, client, cast, own)
        await asyncio.to_thread(pass_night, record.state, day)
        record.progress.days = day
        self._save()

    async def _visit(self, caller: Caller, day: int, number: int, client: ShopClient, stage: Stage) -> None:
        user = caller.person.user_id
        answer = await client.chat(user, caller.ask.text)
        reactions = self._reactions(caller, answer, stage) if answer is not None else Reactions()
        sent = 0
        for place, body in enumerate(reactions.now):
            sent += await client.feedback(user, body, f"{day}-{number}-{place}-{answer.trace_id if answer else ''}")
        for place, body in enumerate(reactions.returns):
            self._record.progress.returns.append(
                {"day": day + 1, "user": user, "key": f"{day}-{number}-back-{place}", "body": body}
            )
        self._record.add(
            Visit(
                day,
                number,
                user,
                caller.ask.text,
                caller.ask.style,
                caller.ask.route,
                answer.route if answer is not None else "",
                answer.trace_id if answer is not None else "",
                caller.dishonest,
                sent,
            )
        )

    def _reactions(self, caller: Caller, answer: Answer, stage: Stage) -> Reactions:
        if caller.dishonest:
            return dishonest(caller.ask, answer, stage.scene.bad_product, caller.rng)
        if self._plan.world == "noise":
            return heedless(answer, self._plan.share, caller.rng)
        return honest(caller.ask, answer, stage.scene.tastes.disappointing, caller.rng)

    async def _send_returns(self, day: int, client: ShopClient) -> None:
        """What was bought before comes back."""
        progress = self._record.progress
        due = [one for one in progress.returns if one["day"] <= day]
        for one in due:
            await client.feedback(one["user"], one["body"], one["key"])
        progress.returns = [one for one in progress.returns if one["day"] > day]

    # Training ---------------------------------------------------------------------------------------------------------

    async def _trained(self, service: RunningService) -> None:
        """Wait for the service's own training, where there is enough new feedback for one.

        Raises:
            ShopfloorError: the service stopped, or its training did not end.
        """
        until_begun, until_ended = time.monotonic() + START_S, time.monotonic() + TRAIN_S
        while True:
            if not service.alive:
                raise ShopfloorError(
                    "The simulated service stopped; its service.log says why. The same command goes on."
                )
            seen = service.trainings()
            if not seen.busy:
                count = await asyncio.to_thread(self._usable)
                if count < seen.last_at:  # a training has come to its end since
                    self._counted_anew = seen.begun
                tried = 0 if self._counted_anew == seen.begun else seen.last_at
                if not is_due(count, tried, self._plan.train_every) or time.monotonic() > until_begun:
                    return
            elif time.monotonic() > until_ended:
                raise ShopfloorError("A training did not end; service.log says more. The same command goes on.")
            await asyncio.sleep(LOOK_S)

    def _usable(self) -> int:
        with closing(connect(self._record.state, read_only=True)) as state:
            return usable_since(state, AGENT)

    async def _generations(self, day: int, client: ShopClient, cast: Cast, own: Settings) -> None:
        """Note what the day's trainings came to; measure where something else serves than before."""
        progress = self._record.progress
        known = [str(one["run_id"]) for one in progress.generations]
        entries = [_entry(one, day) for one in await asyncio.to_thread(ended_runs, self._record.state, known)]
        champion = await self._champion(own)
        promoted = [one for one in entries if one["verdict"] == "promoted"]
        if champion != progress.champion and not promoted:  # after a trial on a share of the users
            entries.append(_change(day, champion, await count_feedback(self._record.state)))
            promoted = entries[-1:]
        first, serving_now = progress.generations[0], _kept(progress.generations[-1])
        for entry in entries:
            if champion != progress.champion and entry is promoted[-1]:
                self._listener.say(f"Day {day}: measuring what is new")
                found = await measure(client, cast.withheld, ranking=False, tick=self._listener.tick)
                serving_now = self._measured(found, first["answers"], cast)
                progress.champion = champion
            overtaken = entry["verdict"] == "promoted" and entry is not promoted[-1]
            entry |= _UNMEASURED if overtaken else serving_now
            progress.generations.append(entry | {"baseline": first["baseline"], "oracle": first["oracle"]})

    def _measured(self, found: Measures, start: Measures, cast: Cast) -> Measured:
        seed = self._plan.seed
        return {
            "metrics": means(found),
            "ci": intervals(found, seed),
            "difference": differences(found, start, seed) if found is not start else None,
            "slices": by_style(found, cast.withheld),
        }

    async def _champion(self, own: Settings) -> str | None:
        """What the router serves with: the head, and the adapter where there is one."""
        async with Database(own.state_path, readers=1) as state:
            found = await Registry(state, own.artefacts_path).list(agent=AGENT, state="champion")
        return ",".join(sorted(one.hash for one in found)) or None

    # The end ----------------------------------------------------------------------------------------------------------

    def _save(self) -> None:
        progress = self._record.progress
        progress.sent, progress.failed = self._tally.sent, dict(self._tally.failed)
        progress.seconds = round(time.monotonic() - self._began, 1)
        self._record.save()

    async def _report(self, cast: Cast, stage: Stage, own: Settings) -> dict[str, Any]:
        self._save()
        progress, visits = self._record.progress, self._record.visits.values()
        ring = {one.trace_id for one in visits if one.dishonest}
        generations = [
            {name: value for name, value in one.items() if name != "answers"} for one in progress.generations
        ]
        return {
            "plan": asdict(self._plan),
            "days": progress.days,
            "split": None if stage.split is None else asdict(stage.split),
            "withheld": len(cast.withheld),
            "visits": len(visits),
            "feedback": await count_feedback(own.state_path),
            "verified": progress.verified,
            "requests": progress.sent,
            "failed_requests": sum(progress.failed.values()),
            "failures": progress.failed,
            "generations": generations,
            "promoted": sum(one["verdict"] == "promoted" for one in generations),
            "turned_away": await asyncio.to_thread(turned_away, own, ring, stage.scene.bad_product),
            "bad_product": stage.scene.bad_product if ring else None,
            "conclusion": conclude(generations),
            "seconds": progress.seconds,
        }


_UNMEASURED: Measured = {"metrics": None, "ci": None, "difference": None, "slices": {}}
"""Another training of the same day was promoted after it."""


def _kept(last: Measured) -> Measured:
    return {name: last[name] for name in _UNMEASURED}


def _change(day: int, champion: str | None, n_feedback: int) -> Measured:
    words = "What was tried on a share of the users went live, or was taken back."
    entry: Measured = {"day": day, "run_id": None, "n_feedback": n_feedback, "verdict": "changed", "reason": words}
    return entry | {"artefact": champion, "train_s": None}


def conclude(generations: list[dict[str, Any]]) -> dict[str, str]:
    """What the withheld messages say of the last generation against the frozen start."""
    last = next(one for one in reversed(generations) if one["metrics"])
    difference = last["difference"]
    if difference is None:
        words = "not enough evidence"
        trained = len(generations) - 1
        return {
            "verdict": "not_enough_evidence",
            "words": words,
            "reason": f"{trained} trainings, none of which was promoted: the frozen start still serves.",
        }
    gain, low, high = difference["routing"]
    verdict = "better" if low > 0 else "worse" if high < 0 else "not_enough_evidence"
    reason = (
        f"Routing changed by {100 * gain:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f}) on withheld messages."
    )
    return {"verdict": verdict, "words": verdict.replace("_", " "), "reason": reason}


def _entry(one: Ended, day: int) -> dict[str, Any]:
    about: dict[str, Any] = one.gate.get("about", {})
    return {
        "day": day,
        "run_id": one.run.run_id,
        "n_feedback": one.n_feedback,
        "verdict": one.run.status,
        "reason": one.gate.get("reason", one.run.error or ""),
        "artefact": one.run.artefact,
        "method": one.run.recipe.get("method", ""),
        "train_s": one.run.seconds,
        "peak_mb": one.run.peak_mb,
        "gate": one.gate.get("suites", [None])[0],
        "verified_cases": about.get("verified cases of this shop", 0),
    }
