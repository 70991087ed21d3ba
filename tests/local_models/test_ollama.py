"""What is particular to Ollama: pulling, an Ollama that is down, old or lacks the model, scores without log-probabilities."""

import math

import numpy as np
import pytest

from shopfloor.errors import ModelError, ModelMissingError
from shopfloor.local_models.ollama import OllamaModel, OllamaRuntime, full_tag, pull, rest_of
from shopfloor.local_models.runtime import GenerateOptions, Message, Runtime
from tests.fakes.ollama import FakeOllama

ASK = [Message("user", "Say hello.")]
TAG = "smollm2:135m"


def at(url: str, tag: str = TAG) -> OllamaModel:
    return OllamaModel(url=url, tag=tag, context=2048, timeout_s=60, profile="cpu")


async def test_likely_labels_score_as_in_process(ollama_runtime: Runtime, runtime: Runtime) -> None:
    prompt, labels = "The first letter of the alphabet is", [" A", " the", " a"]
    inside, outside = await runtime.score([prompt], labels), await ollama_runtime.score([prompt], labels)
    assert np.abs(inside - outside).max() < 0.05


async def test_an_unlikely_label_scores_below_all_likely_ones(ollama_runtime: Runtime) -> None:
    scores = await ollama_runtime.score(["The first letter of the alphabet is"], [" A", " zebra", " the"])
    assert scores[0, 1] == scores[0].min()
    assert scores[0, 1] < -8


async def test_the_rest_shares_what_the_likely_ones_leave() -> None:
    known = [math.log(0.5), math.log(0.25)]
    assert math.exp(rest_of(known, 102)) == pytest.approx(0.0025)
    assert rest_of([math.log(0.5), math.log(0.001)], 3) == pytest.approx(math.log(0.001))
    assert math.isfinite(rest_of([0.0], 100))


async def test_without_log_probabilities_the_choice_is_constrained(ollama: FakeOllama, ollama_url: str) -> None:
    ollama.logprobs = False
    remote = await OllamaRuntime.open(at(ollama_url))
    scores = await remote.score(["Is fire hot? Answer:", "Is ice cold? Answer:"], [" yes", " no"])
    assert np.exp(scores.astype(np.float64)).sum(axis=1) == pytest.approx([1.0, 1.0])
    with pytest.raises(ModelError, match="differ as words"):
        await remote.score(["Is fire hot?"], [" yes", "yes"])
    await remote.close()


async def test_a_prompt_is_never_cut_silently(ollama: FakeOllama, ollama_runtime: Runtime) -> None:
    await ollama_runtime.chat(ASK, GenerateOptions(max_tokens=2))
    path, body = ollama.requests[-1]
    assert path == "/api/chat"
    assert body["truncate"] is False and body["options"]["num_ctx"] == 2048


async def test_pulling_shows_its_progress(ollama: FakeOllama, ollama_url: str) -> None:
    with pytest.raises(ModelMissingError, match="models pull tinyllama:latest"):
        await OllamaRuntime.open(at(ollama_url, "tinyllama"))
    shares = [progress.share async for progress in pull(ollama_url, "tinyllama")]
    assert shares[-1] == 0.0 and 0.5 in shares and 1.0 in shares
    assert "tinyllama:latest" in ollama.models
    remote = await OllamaRuntime.open(at(ollama_url, "tinyllama"))
    assert remote.info.name == "tinyllama:latest"
    await remote.close()
    with pytest.raises(ModelError, match="file does not exist"):
        async for _progress in pull(ollama_url, "no-such-model"):
            pass


async def test_an_ollama_that_is_down_is_one_sentence() -> None:
    with pytest.raises(ModelError, match=r"Ollama at http://127.0.0.1:9 doesn't answer.*ollama serve"):
        await OllamaRuntime.open(at("http://127.0.0.1:9"))
    with pytest.raises(ModelError, match=r"doesn't answer.*ollama serve"):
        async for _progress in pull("http://127.0.0.1:9", TAG):
            pass


async def test_an_old_ollama_is_refused(ollama: FakeOllama, ollama_url: str) -> None:
    ollama.version = "0.11.4-rc1"
    with pytest.raises(ModelError, match=r"Ollama 0.11.4-rc1 .* update it to 0.12.11"):
        await OllamaRuntime.open(at(ollama_url))


async def test_a_model_removed_meanwhile_is_our_error(ollama: FakeOllama, ollama_url: str) -> None:
    remote = await OllamaRuntime.open(at(ollama_url))
    ollama.models.clear()
    with pytest.raises(ModelMissingError, match="not found"):
        await remote.chat(ASK)
    await remote.close()


async def test_a_grammar_is_refused(ollama_runtime: Runtime) -> None:
    with pytest.raises(ModelError, match="grammar"):
        await ollama_runtime.chat(ASK, GenerateOptions(grammar='root ::= "a"'))


@pytest.mark.parametrize(
    ("given", "full"),
    [("tinyllama", "tinyllama:latest"), (TAG, TAG), ("host:5000/team/model", "host:5000/team/model:latest")],
)
def test_tags_are_completed(given: str, full: str) -> None:
    assert full_tag(given) == full
