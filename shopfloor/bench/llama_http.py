"""The model library's own HTTP server, in a process of its own, as a peer to measure against.

``python -m shopfloor.bench.llama_http MODEL.gguf KEY SLOTS CONTEXT BATCH THREADS`` prints its address, and ends when its
standard input closes.
"""

import os
import sys


def main() -> None:
    """Serve until nobody holds the other end of standard input."""
    from shopfloor.local_models.llama_server import SPIN_COUNT

    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    from xllamacpp import CommonParams, Server

    path, key, *numbers = sys.argv[1:]
    slots, context, batch, threads = (int(number) for number in numbers)
    parameters = CommonParams()
    parameters.model.path = path
    parameters.api_keys = [key]
    parameters.n_parallel = slots
    parameters.n_ctx = context * slots
    parameters.n_batch = parameters.n_ubatch = batch
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    parameters.verbosity = -1
    parameters.port = 0
    parameters.ui = False
    parameters.cache_ram_mib = 0
    server = Server(parameters)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
