"""The command line: one thin file per verb, each a call of the Python function of the same name."""

from __future__ import annotations

import sys
from io import TextIOWrapper

import typer

from weitiao.cli import bases, bundle, check, compress, demo, doctor, evaluate, predict, state, tune
from weitiao.languages import say

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
app.command("evaluate", help=say("Measure a bundle on a labelled table, alone or against another bundle."))(
    evaluate.command
)
app.command("compress", help=say("Make a smaller, faster bundle of a bundle."))(compress.command)
app.command("predict", help=say("Label the rows of a file."))(predict.command)
app.command("bases", help=say("Show the pretrained bases, or say which suits a table."))(bases.command)
app.command("demo", help=say("The whole way on packaged data, in a few minutes."))(demo.command)
app.command("doctor", help=say("Look over this machine: what is installed, spare, missing or in the way."))(
    doctor.command
)
app.add_typer(bundle.app, name="bundle", help=say("Show a bundle, or verify that nothing in it has changed."))
app.add_typer(state.app, name="state", help=say("Back up what a service keeps, and bring it back."))


def main() -> None:
    """Entry point of ``weitiao`` and ``python -m weitiao``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name of a file or a column may hold what the terminal can't show
            stream.reconfigure(errors="backslashreplace")
    app()
