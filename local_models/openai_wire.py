"""OpenAI's wire format of chats, as far as runtimes need it: bodies to send, streamed events to read."""

from typing import Any, cast

from shopfloor.local_models.streaming import Ask, Piece

Json = dict[str, Any]  # a request or an answer, as it goes over the wire


def chat_body(ask: Ask) -> Json:
    """The body of a streamed chat completion."""
    options = ask.options
    body: Json = {
        "messages": [{"role": message.role, "content": message.content} for message in ask.messages],
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "seed": options.seed,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if options.stop:
        body["stop"] = list(options.stop)
    if ask.schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": ask.schema}}
    return body


def llama_chat_body(ask: Ask) -> Json:
    """``chat_body`` with what llama.cpp's server knows beyond OpenAI's."""
    # Progress is asked for so that a long prompt can be stopped between its pieces.
    body = {**chat_body(ask), "cache_prompt": True, "return_progress": True}
    if ask.options.grammar is not None:
        body["grammar"] = ask.options.grammar
    return body


def python_chat_body(ask: Ask) -> Json:
    """``chat_body`` as llama-cpp-python's server wants it, which passes over any other form of a schema in silence."""
    body = chat_body(ask)
    del body["stream_options"]
    body["repeat_penalty"] = 1.0  # its own default is not neutral
    if ask.schema is not None:
        body["response_format"] = {"type": "json_object", "schema": ask.schema}
    if ask.options.grammar is not None:
        body["grammar"] = ask.options.grammar
    return body


def read_piece(event: Json) -> Piece:
    """One event of a streamed chat completion."""
    usage = cast(Json, event.get("usage") or {})
    timings = cast(Json, event.get("timings") or {})
    text, finish = "", None
    for choice in cast(list[Json], event.get("choices") or []):
        finish = choice.get("finish_reason") or finish
        delta = cast(Json, choice.get("delta") or {})
        text += str(delta.get("content") or "")
    predicted_ms = timings.get("predicted_ms")
    return Piece(
        text=text,
        finish=finish,
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
        decode_s=None if predicted_ms is None else float(predicted_ms) / 1000,
    )
