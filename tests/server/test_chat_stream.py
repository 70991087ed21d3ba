"""The chat page's stream and a conversation's past."""

import uuid

import httpx
from httpx_sse import connect_sse
from pydantic import TypeAdapter

from shopfloor.tools.schemas import DoneEvent, ItemsEvent, RouteEvent, TokenEvent, TurnEvent

EVENT: TypeAdapter[TurnEvent] = TypeAdapter(TurnEvent)


def turn(client: httpx.Client, **request: object) -> list[TurnEvent]:
    with connect_sse(client, "POST", "/api/chat", json=request) as source:
        assert source.response.status_code == 200
        return [EVENT.validate_json(event.data) for event in source.iter_sse()]


def test_a_turn_streams_route_cards_words_and_the_reply(client: httpx.Client) -> None:
    events = turn(client, text="a warm blue jacket", user_id="ann")
    kinds = [event.type for event in events]
    assert kinds[0] == "route"
    assert kinds[-1] == "done"
    assert kinds.index("items") < kinds.index("token")
    route, done = events[0], events[-1]
    assert isinstance(route, RouteEvent)
    assert isinstance(done, DoneEvent)
    assert route.trace_id == done.reply.trace_id
    assert "".join(event.text for event in events if isinstance(event, TokenEvent)) == done.reply.text
    cards = next(event for event in events if isinstance(event, ItemsEvent))
    assert [item.sku for item in cards.items] == [item.sku for item in done.reply.items]


def test_the_past_is_the_owners_alone(client: httpx.Client) -> None:
    thread = uuid.uuid4().hex
    turn(client, text="a warm blue jacket", user_id="ann", thread_id=thread)
    past = client.get(f"/api/threads/{thread}", params={"user_id": "ann"}).json()
    assert [message["role"] for message in past["messages"]] == ["user", "assistant"]
    assert past["messages"][0]["text"] == "a warm blue jacket"
    assert past["messages"][1]["items"]
    assert client.get(f"/api/threads/{thread}", params={"user_id": "bob"}).status_code == 403
    assert client.get(f"/api/threads/{thread}").status_code == 403
    refused = client.post("/api/chat", json={"text": "hello", "user_id": "bob", "thread_id": thread})
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"


def test_a_guest_goes_on_by_the_thread(client: httpx.Client) -> None:
    first = turn(client, text="hello")[-1]
    assert isinstance(first, DoneEvent)
    second = turn(client, text="a warm blue jacket", thread_id=first.reply.thread_id)[-1]
    assert isinstance(second, DoneEvent)
    assert second.reply.user_id == first.reply.user_id
    past = client.get(f"/api/threads/{first.reply.thread_id}").json()
    assert len(past["messages"]) == 4
