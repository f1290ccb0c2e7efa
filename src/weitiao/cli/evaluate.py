"""``weitiao evaluate``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Digest, Encoding, Json, Label, Seed, Text, answer, percent, with_interval
from weitiao.languages import say
from weitiao.terminal import echo


def command(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE")],
    data: Annotated[str, typer.Argument(metavar="DATA")],
    text: Text = None,
    label: Label = None,
    against: Annotated[str | None, typer.Option(metavar="BUNDLE", help=say("Another bundle to compare with."))] = None,
    out: Annotated[str | None, typer.Option(help=say("Folder for report.html and report.json."))] = None,
    encoding: Encoding = None,
    digest: Digest = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.evaluation.evaluate import evaluate

        return evaluate(
            bundle, data, text=text, label=label, against=against, out=out, encoding=encoding, digest=digest, seed=seed
        )

    answer(json, work, _show)


def _show(found: dict[str, Any]) -> None:
    metrics = found["metrics"]
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
    for note in found["notes"]:
        echo(note)
    if found["report"]:
        echo(say("Report: {path}", path=found["report"]))
