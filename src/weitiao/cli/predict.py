"""``weitiao predict``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Digest, Encoding, Json, Question, Resume, Seed, Text, TextB, answer
from weitiao.languages import say
from weitiao.terminal import echo


def command(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE")],
    data: Annotated[str, typer.Argument(metavar="DATA")],
    out: Annotated[
        str, typer.Option(metavar="FILE", help=say("File to write: .csv, .tsv, .jsonl, .parquet or .xlsx."))
    ],
    text: Text = None,
    text_b: TextB = None,
    question: Question = None,
    encoding: Encoding = None,
    digest: Digest = None,
    resume: Resume = False,
    reasons: Annotated[
        bool, typer.Option("--reasons", help=say("Add a column with the words that speak most for the label."))
    ] = False,
    method: Annotated[
        str, typer.Option(metavar="METHOD", help=say("How reasons are found: leave-out or gradients."))
    ] = "leave-out",
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.runtime.predict import predict

        return predict(
            bundle,
            data,
            out,
            text=text,
            text_b=text_b,
            question=question,
            encoding=encoding,
            digest=digest,
            resume=resume,
            reasons=reasons,
            method=method,
        )

    answer(json, work, _show)


def _show(found: dict[str, Any]) -> None:
    echo(
        say(
            "{out}: {rows} rows, {rate} texts/s; {aside} rows without an answer.",
            out=found["out"],
            rows=found["rows"],
            rate=round(found["texts_per_second"], 1),
            aside=found["set_aside"],
        )
    )
    if found["blank"]:
        echo(say("{count} blank rows keep their places.", count=found["blank"]))
    for note in found["notes"]:
        echo(note)
    if found["set_aside_file"]:
        echo(say("Rows set aside: {path}", path=found["set_aside_file"]))
