"""Counts what a runtime does: requests, tokens, latencies, memory. Thread-safe."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
import psutil

from shopfloor.local_models.runtime import Completion, RuntimeStats

WINDOW = 512


class Meter:
    """Counters since start; latencies over the last 512 requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = self._failed = self._active = 0
        self._prompt_tokens = self._completion_tokens = 0
        self._decode_s = 0.0
        self._latencies: deque[float] = deque(maxlen=WINDOW)

    @contextmanager
    def request(self) -> Generator[None]:
        """Count one request; anything raised inside counts as failed."""
        started = time.perf_counter()
        with self._lock:
            self._requests += 1
            self._active += 1
        failed = True
        try:
            yield
            failed = False
        except (GeneratorExit, asyncio.CancelledError):  # a caller that had enough is no failure
            failed = False
            raise
        finally:
            with self._lock:
                self._active -= 1
                self._failed += failed
                self._latencies.append((time.perf_counter() - started) * 1000)

    def tokens(self, completion: Completion, decode_s: float) -> None:
        """Add a finished generation; ``decode_s`` is the time spent on its tokens alone."""
        with self._lock:
            self._prompt_tokens += completion.prompt_tokens
            self._completion_tokens += completion.completion_tokens
            self._decode_s += decode_s

    def stats(self) -> RuntimeStats:
        """The counters now."""
        memory_mb = psutil.Process().memory_info().rss / 1e6
        with self._lock:
            latencies = np.array(self._latencies)
            shares = (
                {f"p{share}": float(np.percentile(latencies, share)) for share in (50, 95, 99)}
                if latencies.size
                else {}
            )
            return RuntimeStats(
                requests=self._requests,
                failed=self._failed,
                active=self._active,
                prompt_tokens=self._prompt_tokens,
                completion_tokens=self._completion_tokens,
                tokens_per_second=self._completion_tokens / self._decode_s if self._decode_s else 0.0,
                latency_ms=shares,
                memory_mb=memory_mb,
            )
