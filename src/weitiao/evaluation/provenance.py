"""The last part of a report page: on what, with what and where the figures were measured, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from weitiao.bundle import Bundle
from weitiao.languages import say
from weitiao.report import page
from weitiao.report.page import Section
from weitiao.report.text import clamp


def provenance(report: Mapping[str, Any], bundles: Sequence[Bundle] = ()) -> Section:
    """The data's fingerprint, the bundles, the machine and the seed of ``report``, and the terms in plain words.

    Reads the keys data (source, fingerprint, n, set_aside, text_column, label_column), machine and seed.
    """
    data = report["data"]
    rows: list[tuple[str, str]] = [
        (say("Data"), str(data["source"])),
        (say("Fingerprint of the data (SHA-256)"), str(data["fingerprint"])),
        (say("Rows"), say("{n} used, {aside} set aside", n=f"{data['n']:,}", aside=f"{data.get('set_aside', 0):,}")),
        (
            say("Columns"),
            say("text: {text}; label: {label}", text=data.get("text_column"), label=data.get("label_column")),
        ),
    ]
    for bundle in bundles:
        info = bundle.info
        base = info.base.get("name", "–")
        rows += [
            (say("Bundle"), str(bundle.path)),
            (say("Digest"), bundle.digest),
            (
                say("Base"),
                say("{base}, {engine}, {precision}", base=base, engine=info.engine, precision=info.precision),
            ),
        ]
    rows += [*_machine(report["machine"]), (say("Seed"), str(report["seed"]))]
    return Section(
        say("How this was measured"),
        page.join(
            page.table(("", ""), [(name, clamp(value, 200)) for name, value in rows]),
            page.fold(say("What the figures mean"), _terms()),
        ),
    )


def _machine(machine: Mapping[str, Any]) -> list[tuple[str, str]]:
    versions = ", ".join(f"{name} {version}" for name, version in machine.get("versions", {}).items())
    processor = say(
        "{processor}, {cores} cores, {memory} MB",
        processor=machine.get("processor"),
        cores=machine.get("cores"),
        memory=f"{machine.get('memory_mb') or 0:,}",
    )
    return [(say("Machine"), processor), (say("Software"), f"Python {machine.get('python')}, {versions}")]


def _terms() -> Markup:
    f1 = say(
        "The harmonic mean of precision (of what was given this label, how much has it) and recall (of what has "
        "it, how much was found)."
    )
    mcc = say("Matthews correlation coefficient: 1 is perfect, 0 is no better than chance, whatever the shares.")
    auroc = say(
        "How often a row of a label gets a higher probability for it than a row of another label; mean over the labels."
    )
    ece = say(
        "Expected calibration error (Guo et al. 2017): the mean distance between confidence and share right, in "
        "15 bins of equal width."
    )
    interval = say(
        "Percentile bootstrap over the rows, 1,000 resamples: where the figure would lie with other rows of the "
        "same kind."
    )
    rows = [
        (say("Accuracy"), say("The share of rows whose answer is the true label.")),
        ("F1", f1),
        (say("Macro-F1"), say("The mean of F1 over the labels, rare ones counting as much as frequent ones.")),
        ("MCC", mcc),
        ("AUROC", auroc),
        ("ECE", ece),
        (say("95% interval"), interval),
    ]
    return page.table((say("Term"), say("Meaning")), rows)
