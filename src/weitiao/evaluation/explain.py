"""The verb ``explain``: which words of a text speak for an answer, which against it, and whether that holds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from os import PathLike
from statistics import fmean
from typing import Any

import numpy as np

from weitiao import machine
from weitiao.bundle import Bundle
from weitiao.data.load import load
from weitiao.data.read import read_rows
from weitiao.data.values import text_of
from weitiao.errors import DataError
from weitiao.evaluation.explain_page import explain_page
from weitiao.evaluation.faithfulness import faithfulness
from weitiao.evaluation.output import prepare, write_report
from weitiao.languages import say
from weitiao.progress import progress
from weitiao.report.text import clamp
from weitiao.runtime import open_engine
from weitiao.runtime.predict import columns_read
from weitiao.runtime.reasons import Reason, choose, reason, span_of
from weitiao.tasks import reading_of
from weitiao.types import Example

Location = str | PathLike[str]


def explain(  # noqa: PLR0913  the options of the verb
    bundle: Location,
    passage: str | None = None,
    *,
    data: Location | None = None,
    text: str | None = None,
    rows: int = 20,
    method: str | None = None,
    label: str | None = None,
    out: Location | None = None,
    encoding: str | None = None,
    digest: str | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Why ``bundle`` answers as it does: on one ``passage``, or on ``rows`` of the table ``data``, drawn with ``seed``.

    ``method`` is "gradients" (integrated gradients, for bundles that PyTorch runs; needs captum) or "leave-out" (any
    bundle); without, the one that suits. ``label`` is the answer to explain (default: text by text the predicted one).
    ``text`` names the table's column. With ``out``, a folder, writes report.html and report.json. A reason is withheld
    (``shown`` False, no spans) where its words carry the answer no better than random ones.

    Returns bundle, digest, method, data (None, or source, fingerprint, rows, text_column), explanations, faithfulness
    (see `evaluation.faithfulness`; None for one text), seconds (reasons only), notes, machine, seed, created, report.
    An explanation holds row, text, label, probability, predicted_label, shown, spans (start, end, text, score in
    log-odds), faithfulness, read (characters that the bundle read), passes, steps, gap, seconds.

    Raises `DataError` for a call or table that can't be used, `BundleError` for a bundle that is damaged or that the
    method can't explain, `OutputError` where ``out`` can't be written, `MissingExtraError` without captum.
    """
    if (passage is None) == (data is None):
        raise DataError(say("Give either a text to explain, or a table of texts with --data."))
    opened = Bundle.open(bundle, digest)
    chosen = choose(opened, method)
    _refuse_unknown(label, opened)
    folder = prepare(out, [opened.path], data)
    examples, source, notes = _texts(opened, passage, data, text, encoding)
    if len(examples) > rows:
        drawn = np.random.default_rng(seed).choice(len(examples), rows, replace=False)
        examples = [examples[place] for place in sorted(drawn.tolist())]
    began = time.perf_counter()
    explanations, reasons = _explain(opened, examples, chosen, label, seed)
    report = {
        "bundle": str(opened.path),
        "digest": opened.digest,
        "method": chosen,
        "data": source,
        "explanations": explanations,
        "faithfulness": faithfulness([each.faithfulness for each in reasons], seed) if len(reasons) > 1 else None,
        "seconds": time.perf_counter() - began,
        "notes": notes,
        "machine": machine.describe(),
        "seed": seed,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "report": None,
    }
    if folder is not None:
        report["report"] = str(folder / "report.html")
        write_report(folder, report, explain_page(report, opened), [])
    return report


def _texts(
    bundle: Bundle, passage: str | None, data: Location | None, text: str | None, encoding: str | None
) -> tuple[list[Example], dict[str, Any] | None, list[str]]:
    """The texts, where they come from, and remarks on how they were read."""
    if passage is not None:
        problem = text_of(passage)[1]
        if problem:
            raise DataError(say("Nothing to explain: {problem}.", problem=problem))
        return [Example({"text": passage})], None, []
    assert data is not None
    table = read_rows(data, encoding=encoding)
    column = columns_read(table, reading_of(bundle.info, table.columns, text)).text
    dataset = load(data, text=column, labelled=False, encoding=encoding)
    if not dataset.examples:
        raise DataError(say("{source} holds no row with a text: nothing to explain.", source=dataset.source))
    source = {
        "source": dataset.source,
        "fingerprint": dataset.fingerprint,
        "rows": len(dataset.examples),
        "text_column": dataset.text_column,
    }
    notes = list(dataset.notes)
    if dataset.set_aside:
        notes.append(
            say(
                "{count} rows have no text that can be read and aren't explained: row {row} {reason}.",
                count=len(dataset.set_aside),
                row=dataset.set_aside[0].row,
                reason=dataset.set_aside[0].reason,
            )
        )
    return dataset.examples, source, notes


def _explain(
    bundle: Bundle, examples: Sequence[Example], method: str, label: str | None, seed: int
) -> tuple[list[dict[str, Any]], list[Reason]]:
    engine = open_engine(bundle)
    predictions = engine.predict([example.text for example in examples])
    explanations, reasons = [], []
    with progress(say("Explaining {n} texts", n=f"{len(examples):,}"), len(examples)) as advance:
        for example, prediction in zip(examples, predictions, strict=True):
            began = time.perf_counter()
            found = reason(engine, example.text, label or prediction.label, method, seed)
            explanation = _explanation(example, found, prediction.label)
            explanations.append({**explanation, "seconds": time.perf_counter() - began})
            reasons.append(found)
            advance(1)
    return explanations, reasons


def _explanation(example: Example, found: Reason, predicted: str) -> dict[str, Any]:
    each, shown = found.faithfulness, found.faithfulness.stands_out
    return {
        "row": example.row or None,
        "text": example.text,
        "label": found.label,
        "probability": found.probability,
        "predicted_label": predicted,
        "shown": shown,
        "spans": [span_of(span, example.text) for span in found.spans] if shown else [],
        "faithfulness": {
            "comprehensiveness": each.comprehensiveness,
            "sufficiency": each.sufficiency,
            "random_comprehensiveness": fmean(each.random_comprehensiveness),
            "random_sufficiency": fmean(each.random_sufficiency),
        },
        "read": found.read,
        "passes": found.passes,
        "steps": found.steps,
        "gap": found.gap,
    }


def _refuse_unknown(label: str | None, bundle: Bundle) -> None:
    labels = bundle.info.labels
    if label is None or label in labels:
        return
    below = [each for each in labels if bundle.info.hierarchy and each.startswith(label + bundle.info.hierarchy)]
    near = below[:10] or get_close_matches(label[:100], labels, n=5, cutoff=0.5) or labels[:10]
    raise DataError(
        say(
            "{bundle} doesn't know the label {label}. Among its {count} labels: {known}",
            bundle=bundle.path,
            label=clamp(label, 60),
            count=len(labels),
            known=", ".join(clamp(each, 60) for each in near),
        )
    )
