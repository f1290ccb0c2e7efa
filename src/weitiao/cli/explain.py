"""``weitiao explain``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Digest, Encoding, Json, Seed, Text, answer, percent
from weitiao.languages import say
from weitiao.terminal import echo


def command(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE")],
    passage: Annotated[str | None, typer.Argument(metavar="TEXT", help=say("The text to explain."))] = None,
    data: Annotated[str | None, typer.Option(metavar="TABLE", help=say("Explain texts of this table."))] = None,
    text: Text = None,
    rows: Annotated[int, typer.Option(min=1, metavar="N", help=say("How many rows of the table, drawn by seed."))] = 20,
    method: Annotated[
        str | None, typer.Option(help=say("gradients (tuned bundles) or leave-out (any); the one that suits without."))
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="LABEL", help=say("The label to explain; without, the predicted one."))
    ] = None,
    out: Annotated[str | None, typer.Option(help=say("Folder for report.html and report.json."))] = None,
    encoding: Encoding = None,
    digest: Digest = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.evaluation.explain import explain

        return explain(
            bundle,
            passage,
            data=data,
            text=text,
            rows=rows,
            method=method,
            label=label,
            out=out,
            encoding=encoding,
            digest=digest,
            seed=seed,
        )

    answer(json, work, _show)


def _show(found: dict[str, Any]) -> None:
    for each in found["explanations"]:
        _show_text(each)
    if len(found["explanations"]) > 1:
        figures = found["faithfulness"]
        echo(
            say(
                "Comprehensiveness {c:.3f} (random words {rc:.3f}), sufficiency {s:.3f} (random words {rs:.3f}); "
                "{share} of the texts have words that stand out.",
                c=figures["comprehensiveness"]["mean"],
                rc=figures["comprehensiveness"]["random"],
                s=figures["sufficiency"]["mean"],
                rs=figures["sufficiency"]["random"],
                share=percent(figures["shown"]),
            )
        )
    for note in found["notes"]:
        echo(note)
    if found["report"]:
        echo(say("Report: {path}", path=found["report"]))


def _show_text(each: dict[str, Any]) -> None:
    from weitiao.evaluation.explain_page import named, spans_of, unread, withheld
    from weitiao.report.pieces import pieces
    from weitiao.terminal import echo_marked

    row = say("Row {row}: {answer}", row=each["row"], answer="") if each["row"] else ""
    echo(row + say("{label}, {share}", label=each["label"], share=percent(each["probability"])))
    echo_marked([(piece.text, piece.strength) for piece in pieces(each["text"], spans_of(each))])
    for line in named(each) if each["shown"] else [withheld()]:
        echo("  " + line)
    if each["read"] < len(each["text"].rstrip()):
        echo("  " + unread(each))
    echo("")
