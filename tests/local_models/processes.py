"""Model servers of others in processes of their own, for tests."""

import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO

import httpx

START_S = 90.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def running(command: list[str], port: int) -> Generator[str]:
    """The address of a server while it runs; ``command`` starts it on that port."""
    url = f"http://127.0.0.1:{port}"
    with TemporaryFile() as said, subprocess.Popen(command, stdout=said, stderr=said) as process:  # a pipe may fill up
        try:
            _wait(process, url, said)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: "subprocess.Popen[bytes]", url: str, said: IO[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said.seek(0)
            raise AssertionError(f"the server ended at its start: {said.read()[-2000:].decode(errors='replace')}")
        try:
            if httpx.get(f"{url}/v1/models", timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise AssertionError(f"the server at {url} did not start in {START_S:g} s")
