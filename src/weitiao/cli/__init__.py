"""The command line: one thin file per verb, each a call of the Python function of the same name."""

from __future__ import annotations

import os
import sys
import traceback
from io import StringIO, TextIOWrapper

import typer

from weitiao.cli import (
    alerts,
    bases,
    bundle,
    check,
    compress,
    demo,
    doctor,
    evaluate,
    explain,
    keys,
    ladder,
    predict,
    runs,
    serve,
    state,
    support,
    tune,
)
from weitiao.languages import say
from weitiao.terminal import FAULT, INTERRUPTED, failed, interrupted, print_json, tell

LONGEST_PROBLEM = 200  # characters of somebody else's message

app = typer.Typer(
    name="weitiao",
    help=say("Tune a pretrained model on your own labelled examples, and run it on the machines you have."),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("check", help=say("Look over a table of examples before tuning."))(check.command)
app.command("tune", help=say("Tune a base on a labelled table; writes a bundle and a report."))(tune.command)
app.command("ladder", help=say("Tune in several ways within a budget of time, and recommend one."))(ladder.command)
app.command("evaluate", help=say("Measure a bundle on a labelled table, alone or against another bundle."))(
    evaluate.command
)
app.command("explain", help=say("Show which words of a text speak for an answer and which against it."))(
    explain.command
)
app.command("compress", help=say("Make a smaller, faster bundle of a bundle."))(compress.command)
app.command("predict", help=say("Label the rows of a file."))(predict.command)
app.command("serve", help=say("Answer requests over HTTP with one or more bundles."))(serve.command)
app.command("bases", help=say("Show the pretrained bases, or say which suits a table."))(bases.command)
app.command("demo", help=say("The whole way on packaged data, in a few minutes."))(demo.command)
app.command("doctor", help=say("Look over this machine: what is installed, spare, missing or in the way."))(
    doctor.command
)
app.add_typer(support.app, name="support", help=say("Customer service: a bot that knows when it doesn't know."))
app.add_typer(bundle.app, name="bundle", help=say("Show a bundle, or verify that nothing in it has changed."))
app.add_typer(keys.app, name="keys", help=say("Make, list and revoke the keys of a service."))
app.add_typer(runs.app, name="runs", help=say("What was tuned, how well it does, and which of it is in force."))
app.add_typer(alerts.app, name="alerts", help=say("Show who is told of what, or send a test message."))
app.add_typer(state.app, name="state", help=say("Back up what a service keeps, and bring it back."))


def run() -> int:
    """Run the command that the arguments name; returns the exit code (docs/index.md lists them)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name of a file or a column may hold what the terminal can't show
            stream.reconfigure(errors="backslashreplace")
    json = "--json" in sys.argv
    try:
        code = app(standalone_mode=False) or 0
        return interrupted(json=json) if code == INTERRUPTED else code  # typer itself says nothing of it
    except typer.TyperException as error:  # the call is none; typer says how it should be
        if hasattr(error, "show"):
            usage = StringIO()
            error.show(usage)
            tell(usage.getvalue().rstrip("\n"))
        if json:
            print_json({"error": error.format_message(), "exit_code": error.exit_code})
        return error.exit_code
    except typer.Abort:
        return interrupted(json=json)
    except Exception as error:  # noqa: BLE001  # whatever nobody foresaw
        if os.environ.get("WEITIAO_DEBUG"):
            traceback.print_exc()
        problem = " ".join([type(error).__name__, *str(error).splitlines()[:1]])[:LONGEST_PROBLEM]
        message = say("A fault of weitiao's own: {problem}. Set WEITIAO_DEBUG=1 to see where.", problem=problem)
        return failed(message, FAULT, json=json)
