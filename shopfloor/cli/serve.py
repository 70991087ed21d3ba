"""``shopfloor serve``: the HTTP service, with a short banner instead of a scroll of start-up lines."""

import asyncio
import contextlib
import errno
import signal
import socket
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shopfloor.errors import ConfigError, ShopfloorError
from shopfloor.settings import Settings, load_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

Part = Literal["recommendation", "inventory"]
PARTS: dict[str, tuple[int, str]] = {
    "recommendation": (5002, "POST /get-recommendations"),
    "inventory": (5003, "POST /check-inventory"),
}
GRACE_S = 10
BACKLOG = 512

HELP = """Serve the shop assistant over HTTP.

Without a name: everything on one port (8000). With a name, the port other programs expect that agent on:
recommendation 5002, inventory 5003.

\b
Examples:
  shopfloor serve
  shopfloor serve --port 9000 --shop ./my-shop
  shopfloor serve recommendation
"""


class PortError(ShopfloorError):
    """The address can't be listened on."""

    code = "port"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve", help=HELP)(serve)


def serve(
    agent: Annotated[str | None, typer.Argument(help="recommendation or inventory; empty: everything")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0: any free one", min=0, max=65535)] = None,
    shop: Annotated[Path | None, typer.Option(help="Shop folder or catalogue database")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of databases and models [./data]")] = None,
    profile: Annotated[str | None, typer.Option(help="Hardware profile [auto]")] = None,
) -> None:
    """Listen, open the assistant behind it, and say where to go."""
    if agent is not None and agent not in PARTS:
        raise ConfigError(f"There is no service {agent}; use recommendation or inventory, or no name for everything.")
    if port is None and agent is not None:
        port = PARTS[agent][0]
    settings = load_settings(host=host, port=port, shop=shop, data=data, profile=profile)
    listener = listen(settings.host, settings.port)
    with contextlib.closing(listener):
        _run(settings, agent, listener)


def listen(host: str, port: int) -> socket.socket:
    """Take the port before anything slow happens.

    Raises:
        PortError: it is taken, or not ours to take.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"The host {host} can't be used ({error}); try 127.0.0.1.") from error
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortError(
                f"Port {port} is in use: stop what runs there, or choose another with --port {port + 1}."
            ) from error
        raise PortError(
            f"Port {port} on {host} can't be used ({error.strerror}); choose another with --port."
        ) from error
    return listener


def _run(settings: Settings, agent: str | None, listener: socket.socket) -> None:
    from shopfloor import __version__

    say(f"shopfloor {__version__}")
    if not settings.catalogue_path.exists():
        name = str(settings.shop) if settings.shop is not None else "the demo shop"
        say(f"  First start: making the database of {name} in {settings.data} ...")
    say("  Loading the assistant and its model ...")

    from shopfloor.observability import configure_logging, install_tracing
    from shopfloor.server import create_app

    configure_logging(settings)
    warnings.filterwarnings("ignore", message="astream_log is deprecated")
    install_tracing(__version__)
    app = create_app(settings)
    # uvicorn takes these signals while it serves and passes them on when it is done; by then there is nothing to stop.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, _already_stopped)
    asyncio.run(_serve(app, settings, agent, listener))


async def _serve(app: "FastAPI", settings: Settings, agent: str | None, listener: socket.socket) -> None:
    import uvicorn

    from shopfloor.server import service_of

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = uvicorn.Server(config)
    service = service_of(app)
    failure: ShopfloorError | None = None

    async def announce() -> None:
        nonlocal failure
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            await service.opened()
        except ShopfloorError as error:
            failure = error
            server.should_exit = True
            return
        _, _, reasons = await service.state()
        _print_banner(settings, agent, listener.getsockname()[1], reasons)

    announcing = asyncio.create_task(announce())
    await server.serve(sockets=[listener])
    announcing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await announcing
    if failure is not None:
        raise failure
    say("Stopped.")


def _print_banner(settings: Settings, agent: str | None, port: int, reasons: list[str]) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
    say(f"  Ready in {seconds_since_start():.1f} s.")
    if agent is not None:
        say(f"  {PARTS[agent][1]:<26} {base}")
    say(f"  Chat page                  {base}/")
    say(f"  LangServe playgrounds      {base}/shop/playground/   {base}/shop/chat/playground/")
    say(f"  API                        {base}/docs   OpenAI: {base}/v1   MCP: {base}/mcp")
    for reason in reasons:
        say(f"  Note: {reason}")
    say("  Stop with Ctrl+C.")


def _already_stopped(_signal: int, _frame: object) -> None:
    """Nothing is left to stop."""


def say(line: str) -> None:
    """Print a line of the banner at once, also into a pipe."""
    print(line, flush=True)


def seconds_since_start() -> float:
    """Seconds since this process began, interpreter and imports included."""
    import psutil

    return time.time() - psutil.Process().create_time()
