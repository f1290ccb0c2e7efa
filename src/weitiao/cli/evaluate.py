"""``weitiao evaluate``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import (
    Digest,
    Encoding,
    Json,
    Label,
    Question,
    Seed,
    Text,
    TextB,
    answer,
    percent,
    told_metrics,
    with_interval,
)
from weitiao.languages import say
from weitiao.terminal import echo


def command(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE")],
    data: Annotated[str, typer.Argument(metavar="DATA")],
    text: Text = None,
    label: Label = None,
    text_b: TextB = None,
    question: Question = None,
    against: Annotated[str | None, typer.Option(metavar="BUNDLE", help=say("Another bundle to compare with."))] = None,
    out: Annotated[str | None, typer.Option(help=say("Folder for report.html and report.json."))] = None,
    encoding: Encoding = None,
    digest: Digest = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.evaluation.evaluate import evaluate

        columns = {"text": text, "label": label, "text_b": text_b, "question": question}
        return evaluate(bundle, data, **columns, against=against, out=out, encoding=encoding, digest=digest, seed=seed)

    answer(json, work, _show)


def _show(found: dict[str, Any]) -> None:
    metrics = found["metrics"]
    if "accuracy" not in metrics:
        _show_summed(found)
        return
    echo(
        say(
            "Accuracy {accuracy}, macro-F1 {f1}, MCC {mcc:.3f}, AUROC {auroc}, calibration error {ece}.",
            accuracy=with_interval("accuracy", found),
            f1=with_interval("macro_f1", found),
            mcc=metrics["mcc"],
            auroc=percent(metrics["auroc"]),
            ece=percent(metrics["ece"]),
        )
    )
    if found["against"]:
        other, test = found["against"], found["against"]["mcnemar"]
        echo(
            say(
                "Against {bundle}: accuracy {accuracy}; only this one right on {b} rows, only the other on {c} "
                "(McNemar's p = {p:.3g}).",
                bundle=other["bundle"],
                accuracy=percent(other["metrics"]["accuracy"]),
                b=test["b"],
                c=test["c"],
                p=test["p"],
            )
        )
    _show_rest(found)


def _show_summed(found: dict[str, Any]) -> None:
    echo(say("On {n} rows: {metrics}.", n=found["n"], metrics=told_metrics(found)))
    if found["against"]:
        echo(say("Against {bundle}, the difference is:", bundle=found["against"]["bundle"]))
        for name, gap in found["against"]["difference"].items():
            echo(f"  {name}: {gap['value']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]")
    _show_rest(found)


def _show_rest(found: dict[str, Any]) -> None:
    for note in found["notes"]:
        echo(note)
    if found["report"]:
        echo(say("Report: {path}", path=found["report"]))
