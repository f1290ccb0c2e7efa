"""The model card: README.md of a bundle, in the form that Hugging Face reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from weitiao.bundle.shape import BundleInfo

_SHOWN_LABELS = 100
_PIPELINES = {"similarity": "sentence-similarity", "tag": "token-classification", "qa": "question-answering"}
# By task: what it is, and what it does with a text, in English and in Chinese.
_KINDS = {
    "classify": ("text classifier", "puts a text into one of {n} classes", "文本分类模型", "把文本归入 {n} 个类别之一"),
    "multilabel": (
        "multi-label text classifier",
        "gives a text those of {n} labels that apply",
        "多标签文本分类模型",
        "为文本标出 {n} 个标签中适用的各个标签",
    ),
    "pair": (
        "classifier of text pairs",
        "puts two texts into one of {n} classes",
        "句对分类模型",
        "把两段文本归入 {n} 个类别之一",
    ),
    "similarity": ("model of text similarity", "gives two texts a number", "文本相似度模型", "为两段文本给出一个数值"),
    "tag": (
        "tagger of entities",
        "finds the parts of a text that bear one of {n} labels",
        "实体标注模型",
        "找出文本中属于 {n} 类标签的片段",
    ),
    "qa": (
        "reader that answers questions",
        "finds the part of a text that answers a question",
        "抽取式问答模型",
        "在文本中找出回答问题的片段",
    ),
}
_METRICS = {"accuracy": "accuracy", "macro_f1": "f1", "mcc": "matthews_correlation", "auroc": "roc_auc"}


def model_card(info: BundleInfo, report: Mapping[str, Any]) -> str:
    """README.md for a bundle: YAML front matter, then what it is, in English and Chinese.

    ``report``: what report.json holds; read are "seed", "machine" and, where ``info.metrics`` is empty, "metrics".
    """
    metrics = _figures(info.metrics or report.get("metrics") or {})
    sections = [_front_matter(info, metrics), _english(info, metrics, report), _chinese(info, metrics, report)]
    return "\n".join(sections)


def _figures(metrics: Mapping[str, Any]) -> dict[str, tuple[float, tuple[float, float] | None]]:
    """The plain numbers among ``metrics``, each with its interval where it has one."""
    figures: dict[str, tuple[float, tuple[float, float] | None]] = {}
    for name, entry in metrics.items():
        interval = None
        if isinstance(entry, Mapping) and isinstance(entry.get("value"), int | float):
            if "low" in entry and "high" in entry:
                interval = (float(entry["low"]), float(entry["high"]))
            entry = entry["value"]
        if isinstance(entry, int | float) and not isinstance(entry, bool):
            figures[name] = (float(entry), interval)
    return figures


def _yaml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # JSON is YAML, and nothing in it can break out of its quotes


def _licence(info: BundleInfo) -> str:
    return str(info.base.get("licence") or "unknown").lower()


def _front_matter(info: BundleInfo, metrics: Mapping[str, tuple[float, Any]]) -> str:
    base = str(info.base.get("name", "unknown")).removeprefix("hub:")
    lines = ["---"]
    if languages := list(info.base.get("languages") or ()):
        lines.append(f"language: {_yaml(languages)}")
    lines += [
        f"license: {_yaml('other' if ';' in _licence(info) else _licence(info))}",
        f"base_model: {_yaml(base)}",
        f"pipeline_tag: {_pipeline(info)}",
        f"library_name: {_yaml('weitiao')}",
        f"tags: {_yaml([_pipeline(info), 'weitiao', info.engine, info.precision])}",
    ]
    if known := [theirs for ours, theirs in _METRICS.items() if ours in metrics]:
        results = [
            {"type": theirs, "name": ours, "value": metrics[ours][0]}
            for ours, theirs in _METRICS.items()
            if ours in metrics
        ]
        index = {
            "name": f"{base} tuned with weitiao",
            "results": [
                {
                    "task": {"type": _pipeline(info)},
                    "dataset": {"type": "private", "name": _source(info)},
                    "metrics": results,
                }
            ],
        }
        lines += [f"metrics: {_yaml(known)}", f"model-index: {_yaml([index])}"]
    return "\n".join([*lines, "---", ""])


def _pipeline(info: BundleInfo) -> str:
    return _PIPELINES.get(info.task, "text-classification")


def _source(info: BundleInfo) -> str:
    """The table's file name; its folder is nobody else's business."""
    return str(info.data.get("source", "unknown")).replace("\\", "/").rsplit("/", 1)[-1]


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _table(metrics: Mapping[str, tuple[float, tuple[float, float] | None]], head: tuple[str, str, str]) -> str:
    rows = [f"| {' | '.join(head)} |", "| --- | --- | --- |"]
    for name, (value, interval) in metrics.items():
        rows.append(f"| {_cell(name)} | {value:.4f} | {f'{interval[0]:.4f} – {interval[1]:.4f}' if interval else ''} |")
    return "\n".join(rows)


def _labels(info: BundleInfo, more: str) -> str:
    shown = ", ".join(f"`{_cell(label)}`" for label in info.labels[:_SHOWN_LABELS])
    left = len(info.labels) - _SHOWN_LABELS
    return shown + (more.format(left) if left > 0 else "")


def _facts(info: BundleInfo, report: Mapping[str, Any]) -> dict[str, str]:
    machine = report.get("machine") or {}
    return {
        "base": _cell(info.base.get("name", "unknown")),
        "licence": _licence(info),
        "source": _cell(_source(info)),
        "fingerprint": str(info.data.get("fingerprint", "unknown")),
        "rows": str(info.data.get("rows", "unknown")),
        "seed": str(report.get("seed", "unknown")),
        "machine": _cell(machine.get("processor", "unknown") if isinstance(machine, Mapping) else machine),
        "parent": info.parent or "",
    }


def _english(info: BundleInfo, metrics: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    facts = _facts(info, report)
    parent = f"\nIt was compressed from the bundle with the digest `{facts['parent']}`.\n" if info.parent else ""
    figures = _table(metrics, ("Metric", "Value", "95 % interval")) if metrics else "None were measured."
    kind, does = _KINDS[info.task][:2]
    unread = "" if info.stride else f" What stands\nafter the first {info.max_length} tokens is not read."
    length = f"windows of {info.max_length} tokens" if info.stride else f"at most {info.max_length} tokens"
    return f"""# A {kind} tuned from {facts["base"]}

It {does.format(n=len(info.labels))}, read in {length}. It runs on the engine `{info.engine}` in \
`{info.precision}` (temperature {info.temperature:.3f}).
{parent}
## Intended use

Texts like those of the column `{_cell(info.text_column)}` that it was tuned on: the same language, the same kind of
writer, the same classes. Check it on labelled texts of your own before it decides anything about people or money.

## How to use

```
weitiao predict BUNDLE texts.csv --out answers.csv
weitiao bundle verify BUNDLE
```

## Classes

{_labels(info, " and {} more")}

## Results

{figures}

## Data

`{facts["source"]}`, {facts["rows"]} rows, sha256 `{facts["fingerprint"]}`.
Seed {facts["seed"]}; machine: {facts["machine"]}.
The recipe is in `recipe.toml`, all figures in `report.json`.

## Limits

It answers for every text, also for one of another kind than it was tuned on: look at the confidence.{unread}
It repeats the habits and the one-sidedness of its labels
and of its base. It knows nothing of what changed after its data was collected.

## Licence

The weights come from {facts["base"]} ({facts["licence"]}); its terms hold for this bundle too.
"""


def _chinese(info: BundleInfo, metrics: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    facts = _facts(info, report)
    parent = f"\n由摘要值为 `{facts['parent']}` 的模型包压缩而来。\n" if info.parent else ""
    figures = _table(metrics, ("指标", "数值", "95 % 区间")) if metrics else "未测量。"
    kind, does = _KINDS[info.task][2:]
    unread = "" if info.stride else f"超过 {info.max_length} 个词元的部分不会被读取；"
    length = f"{info.max_length} 个词元的窗口" if info.stride else f"不超过 {info.max_length} 个词元"
    return f"""# 中文说明

由 {facts["base"]} 微调得到的{kind}：{does.format(n=len(info.labels))}（按{length}读取）。\
运行引擎 `{info.engine}`，精度 `{info.precision}`（温度 {info.temperature:.3f}）。
{parent}
**适用范围**：与训练数据 `{_cell(info.text_column)}` 列同一语言、同类来源、同样类别的文本。\
用于涉及人员或资金的决定之前，请先用自己的标注数据检验。

**用法**：`weitiao predict 模型包 文本.csv --out 结果.csv`

**评估结果**

{figures}

**数据**：`{facts["source"]}`，{facts["rows"]} 行，sha256 `{facts["fingerprint"]}`；随机种子 {facts["seed"]}。\
配方见 `recipe.toml`，全部数字见 `report.json`。

**局限**：对任何文本都会给出答案，包括与训练数据不同类的文本，请留意置信度；{unread}\
会沿袭标注和基座模型中的偏差；不了解数据收集之后的变化。

**许可**：权重来自 {facts["base"]}（{facts["licence"]}），其许可条款同样适用于本模型包。
"""
