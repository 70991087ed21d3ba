"""OpenAI's shapes, through OpenAI's own client."""

from collections.abc import Iterator

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletion

from tests.server.conftest import Served


@pytest.fixture
def chat(server: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.base}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_models(chat: openai.OpenAI) -> None:
    assert [model.id for model in chat.models.list()] == ["shopfloor"]


def test_answer(chat: openai.OpenAI) -> None:
    answer = chat.chat.completions.create(
        model="shopfloor", messages=[{"role": "user", "content": "a warm blue jacket"}], user="ann"
    )
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.content
    extras = answer.model_extra or {}
    assert extras["shopfloor"]["user_id"] == "ann"
    assert extras["shopfloor"]["items"]


def test_stream_joins_to_the_answer(chat: openai.OpenAI) -> None:
    stream = chat.chat.completions.create(
        model="shopfloor",
        messages=[{"role": "user", "content": [{"type": "text", "text": "a warm blue jacket"}]}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert len(text) > 10
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_a_client_that_sends_everything_stays_in_its_thread(chat: openai.OpenAI) -> None:
    first = chat.chat.completions.create(model="shopfloor", messages=[{"role": "user", "content": "show me warm hats"}])
    second = chat.chat.completions.create(
        model="shopfloor",
        messages=[
            {"role": "system", "content": "You are kind."},
            {"role": "user", "content": "show me warm hats"},
            {"role": "assistant", "content": first.choices[0].message.content},
            {"role": "user", "content": "something cheaper"},
        ],
    )
    assert _thread(second) == _thread(first)


def test_two_strangers_with_the_same_words_stay_apart(chat: openai.OpenAI) -> None:
    def begin() -> ChatCompletion:
        return chat.chat.completions.create(model="shopfloor", messages=[{"role": "user", "content": "hello there"}])

    first, other = begin(), begin()
    assert first.choices[0].message.content == other.choices[0].message.content
    past = [
        {"role": "user", "content": "hello there"},
        {"role": "assistant", "content": first.choices[0].message.content},
    ]
    one, two = (
        chat.chat.completions.create(model="shopfloor", messages=[*past, {"role": "user", "content": "a red scarf"}])  # type: ignore[list-item]
        for _ in range(2)
    )
    assert _thread(one) != _thread(two)


def test_thread_by_metadata_belongs_to_its_user(chat: openai.OpenAI) -> None:
    def say(text: str, user: str) -> ChatCompletion:
        return chat.chat.completions.create(
            model="shopfloor",
            messages=[{"role": "user", "content": text}],
            user=user,
            metadata={"thread_id": "openai-metadata"},
        )

    assert _thread(say("hello", "ann")) == "openai-metadata"
    with pytest.raises(openai.PermissionDeniedError) as refused:
        say("hello", "bob")
    assert refused.value.code == "forbidden"


def test_unknown_model(chat: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        chat.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hello"}])
    assert refused.value.code == "model_not_found"


def test_stream_ends_with_done(client: httpx.Client) -> None:
    body = {"model": "shopfloor", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    response = client.post("/v1/chat/completions", json=body)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.strip().endswith("data: [DONE]")


def _thread(answer: ChatCompletion) -> str:
    return (answer.model_extra or {})["shopfloor"]["thread_id"]
