"""llama.cpp's own HTTP server, in a process of its own: prints its address, ends when its standard input closes.

Use: python llama_http.py MODEL.gguf KEY
"""

import os
import sys


def main() -> None:
    """Serve until nobody holds the other end of standard input."""
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    from xllamacpp import CommonParams, Server, llama_pooling_type

    from shopfloor.local_models.llama_server import usable_cores

    parameters = CommonParams()
    parameters.model.path = sys.argv[1]
    parameters.api_keys = [sys.argv[2]]
    parameters.n_parallel = 4
    parameters.n_ctx = 2048 * parameters.n_parallel
    parameters.n_batch = parameters.n_ubatch = 256
    parameters.embedding = True
    parameters.pooling_type = llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    parameters.verbosity = -1
    parameters.port = 0
    parameters.ui = False
    parameters.cache_ram_mib = 0
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = usable_cores()
    server = Server(parameters)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
