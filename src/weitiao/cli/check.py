"""``weitiao check``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Encoding, Group, Json, Label, Question, Seed, Task, Text, TextB, Time, answer
from weitiao.languages import say
from weitiao.terminal import echo


def command(
    data: Annotated[str, typer.Argument(metavar="DATA")],
    task: Task = "classify",
    text: Text = None,
    label: Label = None,
    text_b: TextB = None,
    question: Question = None,
    dev: Annotated[str | None, typer.Option(metavar="DATA", help=say("The table to choose by."))] = None,
    test: Annotated[str | None, typer.Option(metavar="DATA", help=say("The table to measure on."))] = None,
    group: Group = None,
    time: Time = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="DIR", help=say("Folder for report.html, suspects.csv, set_aside.csv and cleaned.csv.")),
    ] = None,
    drop: Annotated[
        str | None,
        typer.Option(metavar="KIND,…", help=say("Kinds of suspected rows to leave out of cleaned.csv too.")),
    ] = None,
    base: Annotated[
        str | None, typer.Option(help=say("A base that reads the texts: slower, and finds more. See weitiao bases."))
    ] = None,
    encoding: Encoding = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.tuning.check import check

        return check(
            data,
            task=task,
            text=text,
            label=label,
            text_b=text_b,
            question=question,
            dev=dev,
            test=test,
            group=group,
            time=time,
            out=out,
            drop=[kind.strip() for kind in drop.split(",")] if drop else None,
            base=base,
            encoding=encoding,
            seed=seed,
        )

    answer(json, work, _show)


def _show(found: dict[str, Any]) -> None:
    echo(
        say(
            "{source}: {usable} of {rows} rows can be used, {duplicates} duplicates, {labels} labels.",
            source=found["source"],
            usable=found["usable"],
            rows=found["rows"],
            duplicates=found["duplicates"],
            labels=len(found["classes"]),
        )
    )
    echo(
        "  "
        + say(
            "Text column “{text}”, label column “{label}”, {format} {encoding}.",
            text=found["text_column"],
            label=found["label_column"],
            format=found["format"],
            encoding=found["encoding"] or "",
        ).replace(" .", ".")
    )
    for column in found["columns"].values():
        echo("  " + say("With it: column “{column}”.", column=column))
    for note in found["notes"]:
        echo("  " + note)
    for line in found["verdict"]:
        echo("  " + line["message"])
    if found["report"]:
        echo(
            "  "
            + say(
                "Evidence: {path}; each suspected row: {suspects}",
                path=found["report"],
                suspects=found["suspects_file"],
            )
        )
        echo("  " + say("Rows set aside: {path}", path=found["set_aside_file"]))
        echo(
            "  "
            + say(
                "Cleaned table: {path}, without {count} suspected rows",
                path=found["cleaned_file"],
                count=found["dropped"],
            )
        )
    elif found["set_aside"] or any(found["suspects"].values()):
        echo("  " + say("--out DIR shows the rows, with the reason for each."))
