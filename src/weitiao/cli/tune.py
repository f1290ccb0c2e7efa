"""``weitiao tune``."""

from __future__ import annotations

import shlex
from enum import StrEnum
from typing import Annotated, Any

import typer

from weitiao.cli.answer import (
    Base,
    Dev,
    Encoding,
    Group,
    Json,
    Label,
    Question,
    Resume,
    Test,
    Text,
    TextB,
    Time,
    answer,
    told_metrics,
    with_interval,
)
from weitiao.errors import RecipeError
from weitiao.languages import say
from weitiao.progress import clock
from weitiao.terminal import echo
from weitiao.tuning.together import together

NOT_IN_RECIPES = {
    *("data", "out", "text", "label", "text_b", "question", "dev", "test", "soft", "encoding", "recipe", "resume"),
    *("group", "time", "name", "database", "within", "terms"),
}
Tracker = StrEnum("Tracker", ["tensorboard", "wandb", "mlflow", "swanlab", "trackio", "none"])


def command(
    data: Annotated[str, typer.Argument(metavar="DATA")],
    out: Annotated[str, typer.Option(metavar="BUNDLE", help=say("Folder to make for the bundle."))],
    task: Annotated[
        str | None, typer.Option(help=say("What is asked: classify, multilabel, pair, similarity, tag or qa."))
    ] = None,
    text: Text = None,
    label: Label = None,
    text_b: TextB = None,
    question: Question = None,
    base: Base = None,
    method: Annotated[
        str | None,
        typer.Option(help=say("full, head, cloze, lora, adalora, ia3, bitfit, layers, adapter, prefix or prompt.")),
    ] = None,
    dev: Dev = None,
    test: Test = None,
    soft: Annotated[
        str | None,
        typer.Option(metavar="DATA", help=say("Table with probabilities, as predict writes it, to learn from too.")),
    ] = None,
    group: Group = None,
    time: Time = None,
    epochs: Annotated[int | None, typer.Option(help=say("Passes over the training rows."))] = None,
    learning_rate: Annotated[float | None, typer.Option(help=say("Highest learning rate."))] = None,
    batch_size: Annotated[int | None, typer.Option(help=say("Texts a step."))] = None,
    max_length: Annotated[int | None, typer.Option(help=say("Tokens a text; the rest is cut."))] = None,
    recipe: Annotated[str | None, typer.Option(metavar="FILE", help=say("TOML file of recipe settings."))] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help=say("Any other recipe setting."))
    ] = None,
    encoding: Encoding = None,
    resume: Resume = False,
    name: Annotated[
        str | None, typer.Option(help=say("The model's name among the runs; else what the table is called."))
    ] = None,
    trackers: Annotated[
        list[Tracker] | None,
        typer.Option("--tracker", help=say("Show the run here too; may be repeated. Else TensorBoard, if installed.")),
    ] = None,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help=say("Where to record the run; see weitiao runs."))
    ] = None,
    within: Annotated[
        str | None, typer.Option(metavar="TIME", help=say("Refuse if more is foretold, such as 90s, 10m or 2h."))
    ] = None,
    terms: Annotated[
        str | None, typer.Option(help=say("What holds for the bundle beside the base's licence; its card tells it."))
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help=say("Seed of training; split_seed in a recipe decides what is held out.")),
    ] = None,
    json: Json = False,
) -> None:
    named = {
        "task": task,
        "base": base,
        "method": method,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "max_length": max_length,
        "seed": seed,
        "trackers": [each.value for each in trackers if each != "none"] if trackers else None,
    }

    def work() -> dict[str, Any]:
        from weitiao.tuning.tune import tune

        settings: dict[str, Any] = {
            **_settings(setting or []),
            **{name: value for name, value in named.items() if value is not None},
        }
        settings |= {"text": text, "label": label, "text_b": text_b, "question": question, "group": group, "time": time}
        settings |= {"name": name, "database": database, "within": within, "terms": terms}
        return tune(
            data, out, dev=dev, test=test, soft=soft, encoding=encoding, recipe=recipe, resume=resume, **settings
        )

    if together().first:
        answer(json, work, _show)
    else:  # the first process answers for all of them
        work()


def _settings(pairs: list[str]) -> dict[str, str]:
    wrong = [pair for pair in pairs if pair.find("=") < 1]
    if wrong:
        raise RecipeError(say("--set expects NAME=VALUE, not {given}.", given=", ".join(wrong)))
    given = dict(pair.split("=", 1) for pair in pairs)
    if options := sorted(given.keys() & NOT_IN_RECIPES):
        raise RecipeError(
            say("--set {names}: not a recipe setting but an option; see weitiao tune --help.", names=", ".join(options))
        )
    return given


def _show(found: dict[str, Any]) -> None:
    if found["metrics"] and "accuracy" not in found["metrics"]:
        echo(say("Measured on {n} held-out rows: {metrics}.", n=found["n_test"], metrics=told_metrics(found)))
    elif found["metrics"]:
        echo(
            say(
                "Measured on {n} held-out rows: accuracy {accuracy}, macro-F1 {f1}.",
                n=found["n_test"],
                accuracy=with_interval("accuracy", found),
                f1=with_interval("macro_f1", found),
            )
        )
    told = found["predicted"]
    echo(
        say(
            "Took {time} (foretold {foretold_time}) and {memory} MB (foretold {foretold_memory}); {rate} texts/s.",
            time=clock(found["seconds"]),
            foretold_time=clock(told["seconds"]),
            memory=round(found["peak_memory_mb"]),
            foretold_memory=round(told["peak_memory_mb"]),
            rate=round(found["texts_per_second"], 1),
        )
    )
    echo(say("Bundle: {path}\n  digest {digest}", path=found["bundle"], digest=found["digest"]))
    echo(say("Report: {path}", path=found["report"] + "/report.html"))
    if found["run"]:
        echo(say("Run:    {run}  (weitiao runs show {run})", run=found["run"]))
    path, smaller = shlex.quote(found["bundle"]), shlex.quote(found["bundle"] + "-int8")
    echo(say("Next:   weitiao compress {path} --out {smaller}", path=path, smaller=smaller))
