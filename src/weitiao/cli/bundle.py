"""``weitiao bundle show`` and ``weitiao bundle verify``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Digest, Json, Seed, answer
from weitiao.languages import say
from weitiao.terminal import echo

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
MB = 2**20


@app.command("show", help=say("What a bundle is and holds."))
def show(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE")], digest: Digest = None, seed: Seed = 0, json: Json = False
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.bundle import show

        return show(bundle, digest)

    answer(json, work, _show)


@app.command("verify", help=say("Check every byte of a bundle."))
def verify(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE")], digest: Digest = None, seed: Seed = 0, json: Json = False
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.bundle import verify

        return {"bundle": bundle, "digest": verify(bundle, digest)}

    answer(json, work, lambda found: echo(say("{bundle} is whole.\n  digest {digest}", **found)))


def _show(found: dict[str, Any]) -> None:
    info = found["info"]
    echo(f"{found['bundle']}  ({found['bytes'] / MB:.1f} MB)")
    echo("  " + say("digest {digest}", digest=found["digest"]))
    echo(
        "  "
        + say(
            "{task}: {base} → {engine} {precision}, {labels} labels",
            task=info["task"],
            base=info["base"].get("name"),
            engine=info["engine"],
            precision=info["precision"],
            labels=len(info["labels"]),
        )
    )
    for name, value in info["metrics"].items():
        if isinstance(value, float):
            echo(f"  {name} {value:.4f}")
    for file in found["files"]:
        echo(f"  {file['bytes']:>12}  {file['path']}")
