"""LangServe at /shop, through its own client and by hand."""

import json
import uuid

import httpx
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langserve import RemoteRunnable

from tests.server.conftest import Served

CALLED = {"messages": [{"type": "human", "content": "a warm blue jacket"}]}


def configured(thread: str, user: str = "ann") -> dict[str, object]:
    return {"configurable": {"thread_id": thread, "user_id": user}}


def test_invoke(client: httpx.Client) -> None:
    thread = uuid.uuid4().hex
    body = client.post("/shop/invoke", json={"input": CALLED, "config": configured(thread)}).json()
    output = body["output"]
    assert output["type"] == "ai"
    assert output["content"]
    metadata = output["response_metadata"]
    assert metadata["thread_id"] == thread
    assert metadata["user_id"] == "ann"
    assert metadata["route"]["route"] == "recommendation"
    assert metadata["items"]
    assert {"trace_id", "model"} <= metadata.keys()


def test_remote_runnable(server: Served) -> None:
    shop = RemoteRunnable(f"{server.base}/shop")
    answer = shop.invoke({"messages": [HumanMessage("a warm blue jacket")], "user_id": "ann"})
    assert isinstance(answer, AIMessage)
    assert answer.response_metadata["user_id"] == "ann"


def test_stream_joins_to_one_message(server: Served) -> None:
    shop = RemoteRunnable(f"{server.base}/shop")
    pieces = list(shop.stream({"messages": [HumanMessage("a warm blue jacket")]}))
    whole = pieces[0]
    for piece in pieces[1:]:
        whole = whole + piece
    assert isinstance(whole, AIMessageChunk)
    assert whole.text
    assert whole.response_metadata["items"]


def test_batch(client: httpx.Client) -> None:
    inputs = [{**CALLED, "user_id": user} for user in ("ann", "bob")]
    output = client.post("/shop/batch", json={"inputs": inputs}).json()["output"]
    assert [one["response_metadata"]["user_id"] for one in output] == ["ann", "bob"]
    assert output[0]["response_metadata"]["thread_id"] != output[1]["response_metadata"]["thread_id"]


def test_a_thread_is_remembered(client: httpx.Client) -> None:
    config = configured(uuid.uuid4().hex)
    client.post("/shop/invoke", json={"input": CALLED, "config": config})
    follow_up = {"messages": [{"type": "human", "content": "do you have the first one in Delhi?"}]}
    answer = client.post("/shop/invoke", json={"input": follow_up, "config": config}).json()["output"]
    assert answer["response_metadata"]["route"]["route"] == "inventory"


@pytest.mark.parametrize("route", ["/shop/invoke", "/shop/stream"])
def test_a_thread_belongs_to_its_user(client: httpx.Client, route: str) -> None:
    thread = uuid.uuid4().hex
    client.post("/shop/invoke", json={"input": CALLED, "config": configured(thread)})
    refused = client.post(route, json={"input": CALLED, "config": configured(thread, "bob")})
    assert refused.status_code == 403
    nobody = {"configurable": {"thread_id": thread}}
    assert client.post(route, json={"input": CALLED, "config": nobody}).status_code == 403
    named_in_input = {"input": {**CALLED, "user_id": "ann"}, "config": nobody}
    assert client.post(route, json=named_in_input).status_code == 200


def test_the_chat_playground_sends_everything_and_stays_in_its_thread(client: httpx.Client) -> None:
    first = {"messages": [{"type": "human", "content": "show me warm jackets"}]}
    answer = client.post("/shop/chat/invoke", json={"input": first, "config": {}}).json()["output"]
    assert isinstance(answer, str)
    second = {
        "messages": [
            *first["messages"],
            {"type": "ai", "content": answer},
            {"type": "human", "content": "do you have the first one in Delhi?"},
        ]
    }
    follow_up = client.post("/shop/invoke", json={"input": second}).json()["output"]
    assert follow_up["response_metadata"]["route"]["route"] == "inventory"


@pytest.mark.filterwarnings("ignore:astream_log is deprecated")
@pytest.mark.parametrize("kind", ["stream_log", "stream_events"])
def test_the_detailed_streams_end_in_order(client: httpx.Client, kind: str) -> None:
    text = client.post(f"/shop/{kind}", json={"input": CALLED}).text
    events = [line.partition(": ")[2] for line in text.splitlines() if line.startswith("event: ")]
    assert events[-1] == "end"
    assert "error" not in events


@pytest.mark.parametrize("path", ["/shop/playground/", "/shop/chat/playground/"])
def test_playgrounds_open(client: httpx.Client, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    script = page.text.partition('src="')[2].partition('"')[0]
    assert client.get(script).status_code == 200


def test_the_chat_playground_finds_its_schemas(client: httpx.Client) -> None:
    # What its page looks at before it offers the chat: one list of messages in, a string out.
    inputs = client.get("/shop/chat/input_schema").json()
    assert [name for name, field in inputs["properties"].items() if field["type"] == "array"] == ["messages"]
    assert len(inputs["properties"]) == 1
    assert client.get("/shop/chat/output_schema").json()["type"] == "string"


def test_config_schema_names_thread_and_user(client: httpx.Client) -> None:
    schema = json.dumps(client.get("/shop/config_schema").json())
    assert "thread_id" in schema
    assert "user_id" in schema


@pytest.mark.parametrize("route", ["invoke", "stream", "stream_log", "stream_events"])
@pytest.mark.parametrize("door", ["/shop", "/shop/chat"])
@pytest.mark.parametrize(
    "message",
    [
        {"type": "ChatMessageChunk", "role": "", "content": []},
        {"type": "HumanMessageChunk", "content": "a jacket"},
        {"type": "ai", "content": "hello"},
        {"type": "human", "content": " "},
    ],
)
def test_nothing_to_answer_is_refused_before_a_stream_begins(
    server: Served, door: str, route: str, message: dict[str, object]
) -> None:
    with server.client() as client:
        answer = client.post(f"{door}/{route}", json={"input": {"messages": [message]}})
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("application/problem+json")
