"""What every verb does alike: call, show, and turn what goes wrong into a message and an exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from weitiao.errors import WeitiaoError
from weitiao.languages import say
from weitiao.terminal import failed, print_json

Json = Annotated[bool, typer.Option("--json", help=say("Print one JSON object on standard output."))]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help=say("Seed of everything random."))]
Text = Annotated[str | None, typer.Option("--text", metavar="COLUMN", help=say("The column that holds the text."))]
Label = Annotated[str | None, typer.Option("--label", metavar="COLUMN", help=say("The column that holds the label."))]
Task = Annotated[str, typer.Option(help=say("What is asked: classify, multilabel, pair, similarity, tag or qa."))]
TextB = Annotated[
    str | None, typer.Option("--text-b", metavar="COLUMN", help=say("The column of a pair's other text."))
]
Question = Annotated[
    str | None, typer.Option("--question", metavar="COLUMN", help=say("The column that holds the question (task qa)."))
]
Base = Annotated[str | None, typer.Option("--base", help=say("e5-small, minilm, a folder, or hub:org/name."))]
Dev = Annotated[
    str | None, typer.Option("--dev", metavar="DATA", help=say("Table to choose by; else rows are held out."))
]
Test = Annotated[
    str | None, typer.Option("--test", metavar="DATA", help=say("Table to measure on; else rows are held out."))
]
Group = Annotated[
    str | None, typer.Option("--group", metavar="COLUMN", help=say("Rows alike in it are never held out apart."))
]
Time = Annotated[
    str | None, typer.Option("--time", metavar="COLUMN", help=say("The newest rows by this column are held out."))
]
Encoding = Annotated[
    str | None, typer.Option("--encoding", help=say("The file's character encoding; found by itself without."))
]
Resume = Annotated[bool, typer.Option("--resume", help=say("Go on with a run of this command that was cut short."))]
Digest = Annotated[str | None, typer.Option("--digest", help=say("Refuse the bundle unless its digest is this one."))]


def answer(json: bool, work: Callable[[], dict[str, Any]], show: Callable[[dict[str, Any]], None]) -> None:
    """Run ``work`` and show its answer; exit code 1: a stated bar was missed, 2: the input or call was wrong."""
    try:
        found = work()
    except WeitiaoError as error:
        raise typer.Exit(failed(str(error), error.exit_code, json=json)) from None
    else:
        if json:
            print_json(found)
        else:
            show(found)


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def told_metrics(found: dict[str, Any]) -> str:
    """Every metric with its interval, in one line: for tasks other than one label for a text."""
    from weitiao.evaluation.summed import metric_words

    words = metric_words()
    told = []
    for name, value in found["metrics"].items():
        interval = found["intervals"][name]
        told.append(f"{words[name]} {value:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]")
    return ", ".join(told)


def with_interval(name: str, found: dict[str, Any]) -> str:
    """A metric as 93.8% [92.9%, 94.6%]."""
    interval = found.get("intervals", {}).get(name)
    value = percent(found["metrics"][name])
    return f"{value} [{percent(interval['low'])}, {percent(interval['high'])}]" if interval else value
