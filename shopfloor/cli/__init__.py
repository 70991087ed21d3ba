"""The ``shopfloor`` command: parse, call, print. Subcommands are imported only when they are used.

A command module, ``shopfloor/cli/NAME.py``, offers one function::

    def register(app: typer.Typer) -> None:
        app.command("import", help="...")(import_shop)      # a plain command
        app.add_typer(feedback_app, name="feedback")        # or a group of commands

and has one line in :data:`COMMANDS`, so that ``shopfloor --help`` lists it without importing it. Heavy imports go inside
the command's function. Habits every command keeps:

- data on stdout, messages on stderr; ``--json`` prints one JSON object on stdout and nothing else (:func:`print_json`);
- work that failed raises a :class:`~shopfloor.errors.ShopfloorError`: :func:`main` prints its sentence and ends with 1,
  or with 2 for wrong use, a bad setting or bad input. No tracebacks for what a person can mend;
- ``help`` ends with an example;
- settings come from ``load_settings(**flags)``, where a flag that was not given is ``None``.
"""

import importlib
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import typer

from shopfloor.errors import ConfigError, InputError, ShopfloorError

EXIT_FAILED = 1
EXIT_USAGE = 2


@dataclass(frozen=True, slots=True)
class CommandInfo:
    """Where a command lives and its line in ``--help``."""

    module: str
    help: str


COMMANDS: Mapping[str, CommandInfo] = {
    "serve": CommandInfo("serve", "Serve the shop assistant over HTTP."),
    "chat": CommandInfo("chat", "Talk to the shop assistant in the terminal."),
    "doctor": CommandInfo("doctor", "Check this machine, and say what mends what is missing."),
    "import": CommandInfo("shop", "Load a shop's catalogue, stores, stock and history."),
    "feedback": CommandInfo("feedback", "Export or import what people said of the answers."),
    "models": CommandInfo("models", "Local models: get, list, and which of them fit this machine."),
    "adapters": CommandInfo("adapters", "Learned adapters and heads: list, import, activate, roll back, pin."),
    "eval": CommandInfo("evaluate", "Measure quality on a file of cases, with baselines and intervals."),
    "router": CommandInfo("router", "Train and inspect the local router."),
    "dataset": CommandInfo("dataset", "Make training data from what people said of the answers."),
    "train": CommandInfo("train", "Learn from feedback; what wins at the gate goes live."),
    "lineage": CommandInfo("lineage", "Say what an artefact was learned from and how it was judged."),
    "forget": CommandInfo("forget", "Erase a user, and retire or retrain what was learned from them."),
    "simulate": CommandInfo("simulate", "Play some days with simulated shoppers, and see what is learned."),
    "replay": CommandInfo(
        "train_replay", "Replay labelled messages as reactions; measure what the loop makes of them."
    ),
    "bench": CommandInfo("bench", "Measure speed and memory on this machine."),
}

EPILOG = (
    "Start with: shopfloor serve   (then open http://127.0.0.1:8000), or: shopfloor chat --message 'a warm blue jacket'"
)


def build_app(load: Sequence[str] | None = None) -> typer.Typer:
    """Make the command tree.

    Args:
        load: names of the commands to import; the others are listed but not imported. ``None``: import all.
    """
    app = typer.Typer(
        name="shopfloor",
        help="A shop assistant that runs on the shop's own hardware.",
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name, info in COMMANDS.items():
        module = f"{__name__}.{info.module}"
        if importlib.util.find_spec(module) is None:
            continue
        if load is None or name in load:
            importlib.import_module(module).register(app)
        else:
            app.command(name, help=info.help)(_not_loaded)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process with 0, 1 or 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = next((word for word in words if not word.startswith("-")), None)
    try:
        build_app(() if command is None else (command,))(args=words, prog_name="shopfloor")
    except ShopfloorError as error:
        print(f"shopfloor: {sentence(error)}", file=sys.stderr)
        raise SystemExit(EXIT_USAGE if isinstance(error, InputError | ConfigError) else EXIT_FAILED) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def sentence(error: ShopfloorError) -> str:
    """What is wrong, and the nearest matches where there are any."""
    return error.detail + (f" Nearest: {', '.join(error.matches)}." if error.matches else "")


def print_json(value: object) -> None:
    """Print the one JSON object of a ``--json`` run."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def _print_version(wanted: bool) -> None:
    if wanted:
        from shopfloor import __version__

        typer.echo(__version__)
        raise typer.Exit


def _options(
    version: bool = typer.Option(
        False, "--version", help="Print the version and leave.", is_eager=True, callback=_print_version
    ),
) -> None:
    """Options before the command; ``--version`` does its work in its callback."""


def _not_loaded() -> None:
    """Stand in for a command that is only listed; :func:`main` imports the one that is called."""
    raise RuntimeError("this command was listed without being imported")
