"""``weitiao ladder``."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from weitiao.cli.answer import (
    Base,
    Dev,
    Encoding,
    Json,
    Label,
    Resume,
    Seed,
    Test,
    Text,
    TextB,
    answer,
    percent,
    with_interval,
)
from weitiao.languages import say
from weitiao.progress import clock
from weitiao.terminal import echo

MB = 2**20


def command(
    data: Annotated[str, typer.Argument(metavar="DATA")],
    out: Annotated[str, typer.Option(metavar="DIR", help=say("Folder to make for the bundles and the report."))],
    budget: Annotated[
        str, typer.Option(metavar="TIME", help=say("Time for all rungs, such as 90s, 10m or 2h."))
    ] = "10m",
    unlabelled: Annotated[
        str | None, typer.Option(metavar="DATA", help=say("Table of texts without labels to learn from too."))
    ] = None,
    rungs: Annotated[
        str, typer.Option(metavar="NAMES", help=say('Rungs to climb, as "probe, rdrop"; default: the usual ones.'))
    ] = "",
    task: Annotated[str, typer.Option(help=say("classify or pair."))] = "classify",
    text: Text = None,
    label: Label = None,
    text_b: TextB = None,
    base: Base = None,
    teacher: Annotated[
        str, typer.Option(metavar="NAME", help=say('Base that helps to teach the student, "" for none.'))
    ] = "gemma-270m",
    dev: Dev = None,
    test: Test = None,
    encoding: Encoding = None,
    resume: Resume = False,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.plans.ladder import ladder

        columns: dict[str, Any] = {"text": text, "label": label, "text_b": text_b}
        tables: dict[str, Any] = {"dev": dev, "test": test, "unlabelled": unlabelled, "encoding": encoding}
        how: dict[str, Any] = {
            "task": task,
            "base": base,
            "teacher": teacher,
            "budget": budget,
            "rungs": rungs,
            "resume": resume,
            "seed": seed,
        }
        return ladder(data, out, **columns, **tables, **how)

    answer(json, work, _show)


def _show(found: dict[str, Any]) -> None:
    echo(f"{'':<10} {'dev':>7} {'test':>24} {'':>7} {'MB':>7}")
    for each in found["rungs"]:
        test = with_interval("accuracy", each["test"]) if each["test"]["metrics"] else "–"
        taken = clock(each["seconds"]) if each["seconds"] else "–"
        echo(f"{each['name']:<10} {percent(each['dev_accuracy']):>7} {test:>24} {taken:>7} {each['bytes'] / MB:>7.0f}")
    for each in found["skipped"]:
        echo(f"{each['name']:<10} {each['why']}")
    bundle = found["recommended"]["bundle"]
    echo(say("Recommended: {rung}, {bundle}", rung=found["recommended"]["rung"], bundle=bundle))
    echo(say("Report: {path}", path=found["report"]))
    path = shlex.quote(bundle)
    echo(say("Next:   weitiao predict {path} new.csv --out answers.csv\n  or    weitiao serve {path}", path=path))
