"""``weitiao runs list``, ``show``, ``compare``, ``promote``, ``rollback``, ``which`` and ``add``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weitiao.cli.answer import Digest, Json, Seed, answer
from weitiao.languages import say
from weitiao.terminal import echo

if TYPE_CHECKING:
    from weitiao.store import Store

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Database = Annotated[
    str | None, typer.Option("--database", metavar="URL", help=say("The registry's database: a URL or a file."))
]
Run = Annotated[str, typer.Argument(metavar="RUN", help=say("Its id or digest, the beginning of one, or its bundle."))]
Model = Annotated[str, typer.Argument(metavar="NAME", help=say("The model's name."))]
Stage = Annotated[str, typer.Option("--stage", help=say("staging or production."))]
# the metrics in a line of the list, the first that a run has
SHOWN = ("macro_f1", "micro_f1", "accuracy", "f1", "spearman")


@app.command("list", help=say("The runs, newest first."))
def listed(
    name: Annotated[str | None, typer.Option(help=say("Only of the model of this name."))] = None,
    data: Annotated[
        str | None, typer.Option(metavar="DATA", help=say("Only on this table: its file, or its fingerprint."))
    ] = None,
    base: Annotated[str | None, typer.Option(help=say("Only on this base."))] = None,
    stage: Annotated[str | None, typer.Option(help=say("Only in force at this stage."))] = None,
    status: Annotated[
        str | None, typer.Option(help=say("Only running, finished, failed, interrupted or killed ones."))
    ] = None,
    sort: Annotated[str | None, typer.Option(metavar="METRIC", help=say("Best first by this metric."))] = None,
    database: Database = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.store import runs

        with _store(database) as store:
            found = runs.listed(store, name=name, data=data, base=base, stage=stage, status=status, sort=sort)
            return {"runs": found}

    answer(json, work, lambda found: _show_list(found["runs"], sort))


@app.command("show", help=say("All that is known of a run."))
def show(run: Run, database: Database = None, seed: Seed = 0, json: Json = False) -> None:
    def work() -> dict[str, Any]:
        from weitiao.store import runs

        with _store(database) as store:
            return runs.one(store, run)

    answer(json, work, _show_one)


@app.command("compare", help=say("Runs side by side: what differs in their recipes, and their figures."))
def compare(
    named: Annotated[list[str], typer.Argument(metavar="RUN RUN...")],
    database: Database = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.store import runs

        with _store(database) as store:
            return runs.compare(store, named)

    answer(json, work, _show_comparison)


@app.command("promote", help=say("Put a run's bundle in force."))
def promote(
    run: Run,
    to: Annotated[str, typer.Option(help=say("staging or production."))],
    name: Annotated[str | None, typer.Option(help=say("The model's name, if not the run's."))] = None,
    database: Database = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.bundle import verify
        from weitiao.store import runs

        with _store(database) as store:
            return runs.promote(store, run, to, name=name, verify=verify)

    answer(json, work, _show_in_force)


@app.command("rollback", help=say("Put what was in force before back in force."))
def roll_back(
    name: Model, stage: Stage = "production", database: Database = None, seed: Seed = 0, json: Json = False
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.bundle import verify
        from weitiao.store import runs

        with _store(database) as store:
            return runs.roll_back(store, name, stage, verify=verify)

    answer(json, work, _show_in_force)


@app.command("which", help=say("The folder and the digest of the bundle in force, verified; for scripts."))
def which(
    name: Model, stage: Stage = "production", database: Database = None, seed: Seed = 0, json: Json = False
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.bundle import verify
        from weitiao.store import runs

        with _store(database) as store:
            found = runs.which(store, name, stage)
        verify(found["bundle"], found["digest"])
        return found

    answer(json, work, lambda found: echo(f"{found['bundle']}\n{found['digest']}"))


@app.command("add", help=say("Record a bundle that was made elsewhere or has moved."))
def add(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE")],
    name: Annotated[str | None, typer.Option(help=say("The model's name, if not the bundle's."))] = None,
    digest: Digest = None,
    database: Database = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.bundle import Bundle
        from weitiao.bundle.as_run import as_run
        from weitiao.store import runs

        known = as_run(Bundle.open(bundle, digest)) | ({"name": name} if name else {})
        with _store(database) as store:
            return runs.add(store, **known)

    answer(json, work, _show_one)


def _store(database: str | None) -> Store:
    from weitiao.store import open_state

    return open_state(url=database)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def _status(run: dict[str, Any]) -> str:
    words = {
        "running": say("running"),
        "finished": say("finished"),
        "failed": say("failed"),
        "interrupted": say("interrupted"),
        "killed": say("killed"),
    }
    return words[run["status"]]


def _figure(value: float | None, low: float | None = None, high: float | None = None) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if low is None or high is None else f"{value:.4f} [{low:.4f}, {high:.4f}]"


def _show_list(found: list[dict[str, Any]], sort: str | None) -> None:
    if not found:
        echo(say("There are no such runs. weitiao tune records one each time."))
    rows = []
    for run in found:
        metric = sort or next((each for each in SHOWN if each in run["metrics"]), None)
        how = [run["base"], run["recipe"].get("method")]
        if run["recipe"].get("engine", "torch") != "torch":
            how += [run["recipe"]["engine"], run["recipe"]["precision"]]
        rows.append(
            [
                run["id"],
                _time(run["started_at"]),
                _status(run),
                run["name"],
                " ".join(filter(None, how)),
                f"{metric} {_figure(run['metrics'].get(metric))}" if metric else "",
                ", ".join(_in_force(run["name"], each) for each in run["stages"]),
            ]
        )
    _show_table(rows)


def _in_force(own: str, each: dict[str, Any]) -> str:
    """Such as *production, with the model's name where it isn't the run's ``own``."""
    return f"*{each['stage']}" + (f" ({each['name']})" if each["name"] != own else "")


def _show_table(rows: list[list[str]]) -> None:
    """Columns one below the other, though a Chinese character takes two places."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        echo("  ".join(cells).rstrip())


def _show_one(run: dict[str, Any]) -> None:
    echo(f"{run['id']}  {run['name']}  {_status(run)}")
    for each in run["stages"]:
        said = {"name": each["name"], "stage": each["stage"], "time": _time(each["at"]), "actor": each["actor"]}
        echo("  " + say("{name}: in {stage} since {time}, by {actor}", **said))
    rows = _lines(run)
    for metric, value in run["metrics"].items():
        interval = run["intervals"].get(metric, {})
        rows.append((metric, _figure(value, interval.get("low"), interval.get("high"))))
    rows += [(setting, value) for setting, value in run["recipe"].items() if value is not None]
    _show_table([["", heading, str(value)] for heading, value in rows])


def _lines(run: dict[str, Any]) -> list[tuple[str, Any]]:
    cost = None
    if run["seconds"] is not None and run["peak_memory_mb"] is not None:
        cost = say("{seconds:.0f} s, {memory:.0f} MB", seconds=run["seconds"], memory=run["peak_memory_mb"])
    fingerprint = (run["data_fingerprint"] or "")[:12]
    lines = [
        (say("error"), run["error"]),
        (say("started"), _time(run["started_at"])),
        (say("table"), " ".join(filter(None, [run["data_source"], fingerprint]))),
        (say("base"), run["base"]),
        (say("bundle"), run["bundle"]),
        (say("digest"), run["digest"]),
        (say("compressed from"), run["parent"]),
        (say("cost"), cost),
    ]
    return [line for line in lines if line[1]]


def _show_comparison(found: dict[str, Any]) -> None:
    rows = [(say("run"), found["runs"]), (say("model"), found["names"])]
    rows += [(setting, [_plain(value) for value in values]) for setting, values in found["recipe"].items()]
    rows += [
        (metric, [_figure(**each) if each else "–" for each in values]) for metric, values in found["metrics"].items()
    ]
    _show_table([[heading, *values] for heading, values in rows])
    if "task" in found["recipe"]:
        echo(say("They do different tasks: their figures don't compare."))
        return
    if not found["same_data"]:
        echo(say("They learned from different tables."))
    if not found["same_test"]:
        echo(say("They were measured on different rows: their figures don't compare. Use: weitiao evaluate --against"))


def _plain(value: Any) -> str:
    text = "–" if value is None else str(value)
    return text if len(text) <= 16 else text[:12] + "…"


def _show_in_force(found: dict[str, Any]) -> None:
    echo(say("{name}: run {run} is in {stage} since {time}, by {actor}.", **found | {"time": _time(found["at"])}))
    echo(f"  {found['bundle']}\n  " + say("digest {digest}", digest=found["digest"]))
