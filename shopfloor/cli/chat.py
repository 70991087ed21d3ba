"""``shopfloor chat``: the assistant in the terminal, without a server."""

import asyncio
import contextlib
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shopfloor.cli import print_json, sentence
from shopfloor.errors import InputError, NotFoundError, ShopfloorError
from shopfloor.settings import Settings, load_settings

if TYPE_CHECKING:
    from rich.console import Console

    from shopfloor.http.service import Service
    from shopfloor.tools.schemas import RecommendedItem, Reply

LAST_THREAD_FILE = "last-chat"
COMMANDS = "/new begins a new conversation, /rate 1-5 rates the last answer, /quit leaves."

HELP = """Talk to the shop assistant in the terminal.

\b
Examples:
  shopfloor chat
  shopfloor chat --resume
  shopfloor chat --message "a warm blue jacket under 120"
  shopfloor chat --message "do you have SKU_JCK_01 in Delhi?" --json
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("chat", help=HELP)(chat)


def chat(
    message: Annotated[str | None, typer.Option("--message", "-m", help="Say this once and leave")] = None,
    user: Annotated[str, typer.Option(help="Your user id")] = "terminal",
    thread: Annotated[str | None, typer.Option(help="Go on with this conversation")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the last conversation")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --message: print the whole reply as JSON")] = False,
    shop: Annotated[Path | None, typer.Option(help="Shop folder or catalogue database")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of databases and models [./data]")] = None,
) -> None:
    """Open the assistant in this process and talk."""
    if json and message is None:
        raise InputError("--json goes with --message.")
    if message is not None and not message.strip():
        raise InputError("The message is empty.")
    settings = load_settings(shop=shop, data=data)
    if thread is None and resume:
        thread = last_thread(settings)
    session = Session(user, thread or uuid.uuid4().hex)
    from shopfloor.http.service import Service
    from shopfloor.observability import Metrics, configure_logging

    configure_logging(settings.model_copy(update={"log_level": "error"}))
    with asyncio.Runner() as runner:
        service = Service(settings, Metrics())
        runner.run(service.start())
        try:
            runner.run(_opened(service))
            if message is not None:
                runner.run(_say_once(service, session, message, as_json=json))
            else:
                _talk(runner, service, session, past=thread is not None)
            remember_thread(settings, session.thread)
        finally:
            runner.run(service.stop())


@dataclass(slots=True)
class Session:
    """Who talks, in which conversation, and the answer a rating would be about."""

    user: str
    thread: str
    last_trace: str | None = None


async def _opened(service: "Service") -> None:
    await service.opened()


async def _say_once(service: "Service", session: Session, message: str, *, as_json: bool) -> None:
    if as_json:
        reply = await service.ask(message, user_id=session.user, thread_id=session.thread, door="cli")
        print_json(reply.model_dump(mode="json"))
    else:
        from rich.console import Console

        await _turn(service, session, message, Console(highlight=False))


def _talk(runner: asyncio.Runner, service: "Service", session: Session, *, past: bool) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # pyright: ignore[reportUnusedImport]  # line editing, where there is one
    console.print(f"[dim]Conversation {session.thread}. {COMMANDS}[/dim]")
    if past:
        runner.run(_show_past(service, session, console))
    while True:
        try:
            line = console.input("[bold]you>[/bold] ").strip()
        except (EOFError, KeyboardInterrupt):
            console.print()
            return
        if line in {"/quit", "/exit"}:
            return
        if not line:
            continue
        try:
            runner.run(_line(service, session, line, console))
        except ShopfloorError as error:
            console.print(f"[red]{sentence(error)}[/red]")
        except KeyboardInterrupt:
            console.print("[dim]stopped[/dim]")


async def _line(service: "Service", session: Session, line: str, console: "Console") -> None:
    command, _, rest = line.partition(" ")
    if command == "/new":
        session.thread = uuid.uuid4().hex
        session.last_trace = None
        console.print(f"[dim]Conversation {session.thread}.[/dim]")
    elif command == "/rate":
        await _rate(service, session, rest.strip(), console)
    elif command == "/help":
        console.print(f"[dim]{COMMANDS}[/dim]")
    else:
        await _turn(service, session, line, console)


async def _rate(service: "Service", session: Session, stars: str, console: "Console") -> None:
    from shopfloor.tools.schemas import FeedbackRequest

    if session.last_trace is None:
        raise InputError("There is no answer to rate yet.")
    if stars not in {"1", "2", "3", "4", "5"}:
        raise InputError("Rate with a number from 1 to 5: /rate 4")
    await service.feedback(FeedbackRequest(user_id=session.user, trace_id=session.last_trace, rating=int(stars)))
    console.print("[dim]Thank you.[/dim]")


async def _turn(service: "Service", session: Session, text: str, console: "Console") -> None:
    from shopfloor.http.service import error_of
    from shopfloor.tools.schemas import DoneEvent, ErrorEvent, ItemsEvent, TokenEvent

    events = await service.begin(text, user_id=session.user, thread_id=session.thread, door="cli")
    async with contextlib.aclosing(events):
        async for event in events:
            if isinstance(event, ItemsEvent):
                _print_cards(event.items, console)
            elif isinstance(event, TokenEvent):
                console.print(event.text, end="", markup=False, soft_wrap=True)
                console.file.flush()
            elif isinstance(event, ErrorEvent):
                raise error_of(event)
            elif isinstance(event, DoneEvent):
                console.print()
                session.last_trace = event.reply.trace_id
                console.print(f"[dim]{_footer(event.reply)}[/dim]")


def _footer(reply: "Reply") -> str:
    parts = [f"{reply.route.route}, decided by {reply.route.decided_by}", reply.model.name]
    if reply.usage.tokens_per_second:
        parts.append(f"{reply.usage.tokens_per_second:.0f} tokens/s")
    if reply.degraded:
        parts.append("degraded")
    return " · ".join(parts)


def _print_cards(items: "Sequence[RecommendedItem]", console: "Console") -> None:
    from rich.markup import escape
    from rich.table import Table

    if not items:
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("", "Product", "Price", "Stock", "Why"):
        table.add_column(heading, justify="right" if heading == "Price" else "left")
    for item in items:
        price = f"{item.price:.2f} {item.currency}" if item.price is not None else "on request"
        stock = str(item.stock_total) if item.in_stock else "[red]out[/red]"
        name = f"{escape(item.name)} [dim]{escape(item.sku)}[/dim]"
        table.add_row(str(item.position), name, price, stock, escape(item.reason))
    console.print(table)


async def _show_past(service: "Service", session: Session, console: "Console") -> None:
    assistant = await service.assistant()
    try:
        past = await assistant.history(session.thread, session.user)
    except NotFoundError:
        return  # a new conversation under an id of the caller's choice
    for message in past:
        who = "you" if message.role == "user" else "shop"
        console.print(f"{who}> {message.text}", style="dim", markup=False)


def last_thread(settings: Settings) -> str:
    """The conversation of the last ``shopfloor chat``.

    Raises:
        InputError: there was none.
    """
    try:
        return (settings.data / LAST_THREAD_FILE).read_text(encoding="utf-8").strip()
    except FileNotFoundError as error:
        raise InputError("There is no conversation to go on with yet; leave --resume out.") from error


def remember_thread(settings: Settings, thread: str) -> None:
    """Keep the conversation's id for ``--resume``."""
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        (settings.data / LAST_THREAD_FILE).write_text(thread + "\n", encoding="utf-8")
    except OSError as error:
        print(f"shopfloor: the conversation can't be kept for --resume ({error.strerror}).", file=sys.stderr)
