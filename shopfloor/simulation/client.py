"""The service as its users meet it: the chat page's stream, recommendations, feedback. Whatever fails is counted."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from shopfloor.errors import ShopfloorError
from shopfloor.simulation.behaviour import Answer, Body, Card

TIMEOUT_S = 120.0


@dataclass(slots=True)
class Tally:
    """Requests sent and failed so far, by the kind of failure."""

    sent: int = 0
    failed: Counter[str] = field(default_factory=Counter[str])

    @property
    def failures(self) -> int:
        """All failed requests."""
        return sum(self.failed.values())


class ShopClient:
    """One connection pool to one service; failures are counted in ``tally`` and answered with None."""

    def __init__(self, base: str, tally: Tally) -> None:
        self._http = httpx.AsyncClient(base_url=base, timeout=TIMEOUT_S, trust_env=False)
        self.tally = tally

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def chat(self, user_id: str, text: str) -> Answer | None:
        """One message of a new conversation."""
        self.tally.sent += 1
        try:
            reply = await self._reply(user_id, text)
        except (httpx.HTTPError, ShopfloorError, ValueError, KeyError) as error:
            self.tally.failed[f"chat: {type(error).__name__}"] += 1
            return None
        cards = tuple(Card(str(item["sku"]), int(item["position"])) for item in reply["items"])
        return Answer(str(reply["route"]["route"]), str(reply["trace_id"]), reply["recommendation_id"], cards)

    async def recommend(self, user_id: str, text: str, count: int) -> list[str] | None:
        """SKUs for a wish, best first."""
        body = {"user_id": user_id, "context": text, "count": count}
        found = await self._post("/get-recommendations", body)
        return None if found is None else [str(item["sku"]) for item in found["items"]]

    async def feedback(self, user_id: str, body: Body, key: str) -> bool:
        """Send a reaction; the key makes sending it again harmless."""
        return await self._post("/feedback", {"user_id": user_id, "idempotency_key": key, **body}) is not None

    async def _post(self, path: str, body: Body) -> dict[str, Any] | None:
        self.tally.sent += 1
        try:
            response = await self._http.post(path, json=body)
            response.raise_for_status()
            return response.json()
        except (httpx.HTTPError, ValueError) as error:
            status = f" {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else ""
            self.tally.failed[f"{path}: {type(error).__name__}{status}"] += 1
            return None

    async def _reply(self, user_id: str, text: str) -> dict[str, Any]:
        body = {"text": text, "user_id": user_id}
        async with asyncio.timeout(TIMEOUT_S), self._http.stream("POST", "/api/chat", json=body) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if not line.startswith("data:"):
                    continue
                event = json.loads(line[5:])
                if event["type"] == "error":
                    raise ShopfloorError(str(event["detail"]), code=str(event["code"]))
                if event["type"] == "done":
                    return event["reply"]
        raise ShopfloorError("The stream ended without a reply.")
