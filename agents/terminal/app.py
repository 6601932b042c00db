"""The ``netloop`` command: its sub-commands, and where every error becomes a sentence."""

import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from agents.terminal import data_commands, model_commands, run_commands, runs_commands
from agents.terminal.doctor import doctor
from pipelines.errors import NetloopError
from pipelines.visible import visible

app = typer.Typer(
    name="netloop",
    help="From a sentence to a traffic detector that can be trusted: five stages, each one "
    "proposed, approved, run and checked.",
    epilog="Begin: netloop lab lab && netloop run examples/quickstart.yaml --approve ask",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)
app.command()(run_commands.run)
app.command()(run_commands.chat)
app.add_typer(runs_commands.app, name="runs")
app.add_typer(data_commands.app, name="data")
app.add_typer(model_commands.train_app, name="train")
app.command()(model_commands.evaluate)
app.command()(model_commands.detect)
app.command()(runs_commands.report)
app.command()(data_commands.lab)
app.command()(doctor)


@app.callback()
def options(
    workspace: Annotated[
        Path | None, typer.Option("--workspace", help="Folder for runs; also after the command.")
    ] = None,
) -> None:
    """From a sentence to a traffic detector that can be trusted."""
    if workspace is not None:
        os.environ["NETLOOP_WORKSPACE"] = str(workspace)


def main() -> None:
    """Run the command line; errors are sentences on stderr and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a label may not fit the locale
    try:
        app()
    except NetloopError as error:
        sys.stderr.write(f"netloop: {visible(error.message, 2000)}\n")
        if error.mend:
            sys.stderr.write(f"         {visible(error.mend, 2000)}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("netloop: interrupted.\n")
        sys.exit(130)
    except BrokenPipeError:
        # whoever read our output has gone; there is nobody left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
