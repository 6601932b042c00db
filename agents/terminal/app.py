"""The ``netloop`` command: its sub-commands, and where every error becomes a sentence."""

import io
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from agents.offline import offline_wanted, refuse_sockets
from agents.terminal import (
    augment_command,
    data_commands,
    data_features,
    data_next,
    detect_command,
    egress_command,
    explain_command,
    look_command,
    mcp_command,
    model_commands,
    policy_commands,
    retrace_commands,
    run_commands,
    runs_commands,
    sites_command,
    tokenizer_commands,
    tune_commands,
)
from agents.terminal.doctor import doctor
from agents.terminal.new_folder import is_main_process
from agents.terminal.options import Offline
from pipelines.errors import NetloopError
from pipelines.visible import visible

if offline_wanted():  # also in worker processes, which import this module and run no command
    refuse_sockets()

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
runs_commands.app.command()(retrace_commands.replay)
runs_commands.app.command()(retrace_commands.fork)
runs_commands.app.command()(retrace_commands.diff)
runs_commands.app.command()(look_command.look)
app.add_typer(policy_commands.app, name="policy")
app.add_typer(data_commands.app, name="data")
app.add_typer(model_commands.train_app, name="train")
app.add_typer(tokenizer_commands.app, name="tokenizer")
app.add_typer(tune_commands.tune_app, name="tune")
app.command()(model_commands.evaluate)
data_commands.app.command()(data_features.features)
data_commands.app.command("next")(data_next.next_rows)
app.command()(augment_command.augment)
app.command()(sites_command.sites)
app.command()(detect_command.detect)
app.command()(explain_command.explain)
app.command()(runs_commands.report)
app.command()(egress_command.egress)
app.command()(mcp_command.mcp)
app.command()(data_commands.lab)
app.command()(doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"netloop {version('netloop')}\n")
        raise typer.Exit


@app.callback()
def options(
    workspace: Annotated[
        Path | None, typer.Option("--workspace", help="Folder for runs; also after the command.")
    ] = None,
    offline: Offline = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """From a sentence to a traffic detector that can be trusted."""
    if workspace is not None:
        os.environ["NETLOOP_WORKSPACE"] = str(workspace)


def main() -> None:
    """Run the command line; errors are sentences on stderr and an exit code."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a label may not fit the locale
    try:
        with _one_voice():
            app()
    except NetloopError as error:
        _tell("netloop: ", error.message)
        for line in error.excerpt.splitlines():
            sys.stderr.write(f"         {visible(line, 2000)}\n")
        if error.mend:
            _tell("         ", error.mend)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # whoever read our output has gone; there is nobody left to tell
        _drop_output()
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _tell("netloop: ", f"{where}{error.strerror or error}.")
        _tell("         ", "Check space and permissions there, and where the output goes.")
        _drop_output()
        sys.exit(1)


@contextmanager
def _one_voice() -> Iterator[None]:
    """Only the first of the processes that torchrun starts says anything; any may tell its error,
    which may be no other's."""
    if is_main_process():
        yield
        return
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def _open_closed_streams() -> None:
    """Python has None where a stream was closed (``>&-``); what is written there is nobody's."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115


def _drop_output() -> None:
    """Send what stdout still holds nowhere: it cannot be written and would fail again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(head: str, words: str) -> None:
    """``words`` on stderr after ``head``, wrapped if a person reads there; paths stay whole."""
    text = visible(words, 2000)
    if sys.stderr.isatty():
        text = textwrap.fill(
            text,
            width=max(shutil.get_terminal_size().columns, 20),
            initial_indent=head,
            subsequent_indent=" " * len(head),
            break_long_words=False,
            break_on_hyphens=False,
        )
        head = ""
    sys.stderr.write(f"{head}{text}\n")


if __name__ == "__main__":
    main()
