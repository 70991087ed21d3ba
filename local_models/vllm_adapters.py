"""LoRA adapters in a running vLLM: loaded and unloaded over its interface, each under a name that holds its hash."""

import contextlib
import threading
from pathlib import Path

from shopfloor.errors import ModelError, ModelMissingError
from shopfloor.local_models.adapter_file import AdapterFile
from shopfloor.local_models.http_server import HttpServer

PEFT_CONFIG = "adapter_config.json"


class VllmAdapters:
    """Adapters by the hash of their file, and how many still need each. Thread-safe.

    The adapter's folder, in PEFT's form, must be there under the same path on the server's machine.
    """

    def __init__(self, server: HttpServer, model: str) -> None:
        self._server = server
        self._model = model
        self._talking = threading.Lock()  # held while the server loads or unloads
        self._lock = threading.Lock()  # never held for long
        self._pins: dict[str, int] = {}

    def name(self, adapter: str) -> str:
        """How requests name an adapter: by its hash, so that no cache of the server's takes one for another."""
        return f"{self._model}-shopfloor-{adapter[:12]}"

    def attach(self, adapter: AdapterFile) -> None:
        """Have an adapter at hand, pinned (blocking).

        Raises:
            ModelError: the server can't load it.
        """
        with self._talking:
            if adapter.sha256 not in self._pins:
                self._load(adapter)
            with self._lock:
                self._pins[adapter.sha256] = self._pins.get(adapter.sha256, 0) + 1

    def pin(self, name: str) -> None:
        """Keep an adapter that is at hand."""
        with self._lock:
            self._pins[name] += 1

    def release(self, name: str) -> None:
        """Undo one pin; the last one has the server unload the adapter."""
        with self._lock:
            self._pins[name] -= 1
            unused = self._pins[name] == 0
        if unused:
            threading.Thread(target=self._unload, args=(name,), name="unload-adapter", daemon=True).start()

    def has(self, name: str) -> bool:
        """Whether an adapter is still at hand."""
        return name in self._pins

    def _load(self, adapter: AdapterFile) -> None:
        folder = adapter.folder or adapter.path.parent
        if not (folder / PEFT_CONFIG).is_file():
            raise ModelError(f"{folder} holds no {PEFT_CONFIG}: vLLM takes adapters in PEFT's form only")
        body = {"lora_name": self.name(adapter.sha256), "lora_path": str(Path(folder).resolve())}
        try:
            self._server.tell("/v1/load_lora_adapter", body)
        except ModelMissingError as error:
            raise ModelError(
                f"the model server can't load the adapter ({error}): start vLLM with --enable-lora and "
                "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1, and let it see that folder"
            ) from error

    def _unload(self, name: str) -> None:
        with self._talking:
            if self._pins.get(name) != 0:  # wanted again meanwhile
                return
            with contextlib.suppress(ModelError):  # it was started anew, or is gone: nothing to unload
                self._server.tell("/v1/unload_lora_adapter", {"lora_name": self.name(name)})
            with self._lock:
                del self._pins[name]
