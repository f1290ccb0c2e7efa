"""``weitiao check``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Encoding, Json, Label, Seed, Text, answer
from weitiao.languages import say
from weitiao.terminal import echo


def command(
    data: Annotated[str, typer.Argument(metavar="DATA")],
    text: Text = None,
    label: Label = None,
    out: Annotated[str | None, typer.Option(help=say("Folder for cleaned.csv and set_aside.csv."))] = None,
    encoding: Encoding = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.data.check import check

        return check(data, text=text, label=label, out=out, encoding=encoding, seed=seed)

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
    for note in found["notes"]:
        echo("  " + note)
    for line in found["verdict"]:
        echo("  " + line["message"])
    if found["set_aside_file"]:
        echo("  " + say("Rows set aside: {path}", path=found["set_aside_file"]))
    elif found["set_aside"]:
        echo("  " + say("--out DIR lists the rows that can't be used, with the reason for each."))
