"""The ladder's report: which step paid, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from weitiao.evaluation.provenance import provenance
from weitiao.evaluation.sections import percent
from weitiao.languages import say
from weitiao.plans.rungs import described
from weitiao.progress import clock
from weitiao.report import page as pages
from weitiao.report import plots
from weitiao.report.page import KeyFigure, Section

MB = 2**20
Found = Mapping[str, Any]


def ladder_page(found: Found) -> str:
    """The whole document; ``found`` is what `weitiao.ladder` returns."""
    source = Path(found["data"]["source"]).name
    rows = sum(found[f"n_{part}"] for part in ("train", "dev", "test"))
    sections = [
        Section(say("Which bundle to take"), _overview(found)),
        Section(say("Every rung"), pages.join(_plot(found), _table(found["rungs"]), _skipped(found))),
        Section(say("What each step brought"), _steps(found["rungs"])),
        provenance({**found, "data": {**found["data"], "n": rows, "set_aside": found["set_aside"]}}),
    ]
    return pages.page(say("Ladder of {source}", source=source), sections)


def _overview(found: Found) -> Markup:
    taken = next(each for each in found["rungs"] if each["bundle"] == found["recommended"]["bundle"])
    accuracy = taken["test"]["intervals"].get("accuracy")
    items = [
        KeyFigure(say("Recommended"), found["recommended"]["rung"], Path(taken["bundle"]).name),
        KeyFigure(say("Right on the dev rows"), percent(taken["dev_accuracy"]), say("{n} rows", n=found["n_dev"])),
        KeyFigure(say("Size"), f"{taken['bytes'] / MB:.0f} MB"),
        KeyFigure(say("Time of all rungs"), clock(found["seconds"]), say("of {budget}", budget=clock(found["budget"]))),
    ]
    if accuracy:
        items.insert(1, KeyFigure(say("Right on the test rows"), percent(accuracy["value"]), _range(accuracy)))
    return pages.join(
        pages.key_figures(items),
        pages.paragraph(
            say(
                "Learned from {train} rows; {dev} dev rows decided: for the best score, of equals the first, but for "
                "the student unless another is clearly ahead of it. The {test} test rows decided nothing.",
                train=found["n_train"],
                dev=found["n_dev"],
                test=found["n_test"],
            )
        ),
    )


def _plot(found: Found) -> Markup:
    items = []
    for each in found["rungs"]:
        interval = each["test"]["intervals"].get("accuracy")
        value = interval["value"] if interval else each["dev_accuracy"]
        low, high = (interval["low"], interval["high"]) if interval else (None, None)
        items.append(plots.Bar(each["name"], value, low, high, percent(value)))
    where = say("test rows") if found["n_test"] else say("dev rows")
    return pages.figure(plots.bars(items, title=say("Accuracy by rung")), say("Accuracy on the {where}.", where=where))


def _table(rungs: Sequence[Found]) -> Markup:
    columns = [say("Rung"), say("What it is"), say("Dev"), say("Test")]
    columns += [say("Epochs"), say("Time"), say("Memory"), say("Size")]
    rows = []
    for each in rungs:
        interval = each["test"]["intervals"].get("accuracy")
        rows.append(
            [
                each["name"],
                described(each["name"]),
                percent(each["dev_accuracy"]),
                f"{percent(interval['value'])} {_range(interval)}" if interval else "–",
                each["epochs"] or "–",
                clock(each["seconds"]) if each["seconds"] else "–",
                f"{each['peak_memory_mb']:.0f} MB" if each["peak_memory_mb"] else "–",
                f"{each['bytes'] / MB:.0f} MB",
            ]
        )
    return pages.table(columns, rows, numeric=range(2, 8))


def _skipped(found: Found) -> Markup:
    return pages.join(*(pages.note(f"{each['name']}: {each['why']}") for each in found["skipped"]))


def _steps(rungs: Sequence[Found]) -> Markup:
    """The change from rung to rung, paired over the rows."""
    rows = []
    for each in rungs:
        for where, key in ((say("dev rows"), "change"), (say("test rows"), "test_change")):
            if found := each[key]:
                sure = found["low"] > 0 or found["high"] < 0
                verdict = (say("better") if found["value"] > 0 else say("worse")) if sure else say("not told apart")
                rows.append([each["name"], where, _points(found["value"]), _points_range(found), verdict])
    return pages.join(
        pages.paragraph(
            say("In points of accuracy against the rung before it (int8: against the best), with 95% intervals.")
        ),
        pages.table(
            [say("Rung"), say("Measured on"), say("Points"), say("Interval"), say("Verdict")], rows, numeric=(2, 3)
        ),
    )


def _range(interval: Found) -> str:
    return f"[{percent(interval['low'])}, {percent(interval['high'])}]"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def _points_range(interval: Found) -> str:
    return f"[{_points(interval['low'])}, {_points(interval['high'])}]"
