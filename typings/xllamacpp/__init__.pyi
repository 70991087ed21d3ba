"""The part of xllamacpp this project uses; the wheel carries no types."""

from collections.abc import Callable
from typing import Any

class CpuParams:
    n_threads: int

class CommonParamsModel:
    path: str

class CommonAdapterLoraInfo:
    def __init__(self, path: str, scale: float) -> None: ...

class llama_pooling_type:
    LLAMA_POOLING_TYPE_MEAN: int

class ggml_type:
    GGML_TYPE_Q8_0: int

class llama_flash_attn_type:
    LLAMA_FLASH_ATTN_TYPE_AUTO: int
    LLAMA_FLASH_ATTN_TYPE_ENABLED: int
    LLAMA_FLASH_ATTN_TYPE_DISABLED: int

class llama_load_mode:
    LLAMA_LOAD_MODE_NONE: int

class CommonParams:
    model: CommonParamsModel
    n_ctx: int
    n_parallel: int
    n_batch: int
    n_ubatch: int
    cpuparams: CpuParams
    cpuparams_batch: CpuParams
    embedding: bool
    pooling_type: int
    verbosity: int
    port: int
    api_keys: list[str]
    ui: bool
    fit_params: bool
    warmup: bool
    cache_ram_mib: int
    cache_type_k: int
    cache_type_v: int
    flash_attn_type: int
    load_mode: int
    lora_adapters: list[CommonAdapterLoraInfo]

class Server:
    def __init__(self, params: CommonParams) -> None: ...
    @property
    def listening_address(self) -> str: ...
    def handle_chat_completions(
        self, request: dict[str, Any], callback: Callable[[Any], bool] | None = None
    ) -> dict[str, Any] | None: ...
    def handle_completions(
        self, request: dict[str, Any], callback: Callable[[Any], bool] | None = None
    ) -> dict[str, Any] | None: ...
    def handle_embeddings(self, request: dict[str, Any]) -> dict[str, Any]: ...
