"""``weitiao compress``."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from weitiao.cli.answer import Json, Seed, answer
from weitiao.languages import say
from weitiao.terminal import echo

MB = 2**20


def command(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE")],
    out: Annotated[str, typer.Option(metavar="BUNDLE", help=say("Folder to make for the smaller bundle."))],
    to: Annotated[str, typer.Option(help=say("openvino or onnx."))] = "openvino",
    precision: Annotated[str | None, typer.Option(help=say("int8, bf16 (openvino) or fp32."))] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="DATA", help=say("Texts to calibrate and measure with; else the table it was tuned on.")),
    ] = None,
    max_drop: Annotated[float, typer.Option(help=say("Points of accuracy that may be lost."))] = 1.0,
    force: Annotated[bool, typer.Option("--force", help=say("Keep the bundle even if it loses more."))] = False,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.compression.compress import compress

        return compress(bundle, out, to=to, precision=precision, data=data, max_drop=max_drop, force=force, seed=seed)

    answer(json, work, _show)


def _show(found: dict[str, Any]) -> None:
    change = found["change"][found["metric"]]
    echo(
        say(
            "{precision} ({to}): {metric} {change:+.2f} points [{low:+.2f}, {high:+.2f}] on {n} rows.",
            precision=found["precision"],
            to=found["to"],
            metric=found["metric"],
            change=100 * change["value"],
            low=100 * change["low"],
            high=100 * change["high"],
            n=found["n"],
        )
    )
    before, after = found["before"], found["after"]
    echo(
        say(
            "{mb_before:.0f} → {mb_after:.0f} MB; {rate_before:.0f} → {rate_after:.0f} texts/s; "
            "one text {ms_before:.1f} → {ms_after:.1f} ms.",
            mb_before=before["bytes"] / MB,
            mb_after=after["bytes"] / MB,
            rate_before=before["texts_per_second"],
            rate_after=after["texts_per_second"],
            ms_before=before["latency_ms"],
            ms_after=after["latency_ms"],
        )
    )
    echo(say("Bundle: {path}\n  digest {digest}", path=found["bundle"], digest=found["digest"]))
    path = shlex.quote(found["bundle"])
    echo(say("Next:   weitiao predict {path} new.csv --out answers.csv\n  or    weitiao serve {path}", path=path))
