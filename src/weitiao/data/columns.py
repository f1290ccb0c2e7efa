"""Which column holds the text and which the label: named, or found by name, or by content where that is clear."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from weitiao.data.table import Blank, Row, Table, require_mostly_usable
from weitiao.data.values import label_of, text_of
from weitiao.errors import DataError
from weitiao.languages import say
from weitiao.types import SetAside

SAMPLE_ROWS = 1_000
# Names in lower case without spaces, "_" and "-". One of the first line wins over any of the others.
TEXT_NAMES = (
    ("text", "texts", "文本", "文本内容"),
    (
        *("texta", "text1", "sentencea", "premise", "question1", "context", "passage"),
        *("文本1", "句子1", "文本一", "句子一", "问题一", "问题1", "文本a", "句子a", "段落", "材料", "上下文"),
    ),
    (
        *("sentence", "content", "review", "comment", "title", "headline", "question", "query", "utterance", "message"),
        *("body", "document", "input", "inputtext", "feedback", "description", "tweet", "post", "reviewtext"),
        *("reviewbody", "reviewcontent", "commenttext", "messagetext", "usertext", "userinput", "sentence1"),
        *("内容", "评论", "评论内容", "评价", "评价内容", "句子", "语句", "标题", "新闻标题", "问题", "问句", "正文"),
        *("用户原话", "原话", "原文", "语料", "留言", "留言内容", "反馈", "反馈内容", "消息", "消息内容", "对话"),
        *("描述", "问题描述", "投诉内容", "工单内容", "用户输入", "用户评论", "咨询内容", "文字", "话术"),
    ),
)
LABEL_NAMES = (
    ("label", "labels", "标签"),
    (
        *("category", "class", "intent", "sentiment", "target", "tag", "topic", "type", "emotion", "polarity"),
        *("classification", "categoryname", "classname", "labelname", "intentname", "y"),
        *("类别", "分类", "情感", "意图", "类型", "标注", "标记", "情感倾向", "情感标签", "情感极性", "情绪", "极性"),
        *("分类结果", "所属分类", "类目", "意图标签", "标注结果", "主题", "话题", "倾向"),
    ),
    (
        *("answers", "answer", "spans", "entities", "tags", "score", "similarity", "gold", "goldlabel"),
        *("答案", "回答", "实体", "实体标注", "相似度", "分数", "得分"),
    ),
)
# By role: the other inputs that a task may read.
OTHER_NAMES = {
    "text_b": (
        *("textb", "text2", "sentence2", "sentenceb", "hypothesis", "question2", "textpair"),
        *("文本2", "句子2", "文本二", "句子二", "问题二", "文本b", "句子b", "问题2", "候选", "对比文本"),
    ),
    "question": ("question", "query", "问题", "问句", "提问"),
}
_CLEARLY_LONGER = 1.5  # mean length against the next longest column
_MOSTLY = 0.5
_FEW = 0.2  # distinct values against rows, for labels
_SHORT = 30  # characters, mean length of labels


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read, ``others`` by role; ``notes`` says how they were found where not by name or flag."""

    text: str
    label: str | None
    notes: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None
    time: str | None = None


@dataclass(frozen=True, slots=True)
class _Profile:
    """What a column holds in the first rows."""

    name: str
    sample: str
    filled: float  # share of the rows that have a value
    mean_length: float  # characters
    distinct: int
    count: int
    wordy: float  # share of the values with spaces or letters beyond ASCII: words, not codes

    @property
    def like_text(self) -> bool:
        return self.filled > _MOSTLY and self.wordy > _MOSTLY and self.distinct > _MOSTLY * self.count

    @property
    def like_label(self) -> bool:
        few = 2 <= self.distinct <= max(2, _FEW * self.count)
        return self.filled > _MOSTLY and few and self.mean_length <= _SHORT


def choose_columns(
    table: Table,
    *,
    text: str | None = None,
    label: str | None = None,
    labelled: bool = True,
    others: Mapping[str, str | None] | None = None,
    group: str | None = None,
    time: str | None = None,
) -> Columns:
    """The text column and, where ``labelled``, the label column of ``table``; ``text`` and ``label`` name them.

    ``others`` are more inputs: the column's name by role, None where it is to be found by its name. ``group`` and
    ``time`` name further columns; they are never guessed. Raises `DataError`: a named column isn't there; one column is
    named for both; or none, or several, could be meant.
    """
    flags = {"--text": text, "--label": label if labelled else None, "--group": group, "--time": time}
    flags |= {_flag(role): column for role, column in (others or {}).items()}
    for flag, named in flags.items():
        if named is not None and named not in table.columns:
            raise _not_there(table, named, flag)
    taken: dict[str, str] = {}
    for flag, named in flags.items():
        if named is None or flag in ("--group", "--time"):
            continue
        if named in taken:
            raise DataError(
                say(
                    "{path}: the column “{name}” is named both by {one} and by {other}.",
                    path=table.path,
                    name=named,
                    one=taken[named],
                    other=flag,
                )
            )
        taken[named] = flag
    if others:
        found = _with_others(table, text, label if labelled else None, labelled=labelled, others=others)
        return replace(found, group=group, time=time)
    text = text or _by_name(table.columns, TEXT_NAMES, besides=label)
    if labelled:
        label = label or _by_name(table.columns, LABEL_NAMES, besides=text)
    if text and (label or not labelled):
        return Columns(text, label if labelled else None, group=group, time=time)
    return replace(_by_content(table, text, label, labelled=labelled), group=group, time=time)


def _with_others(
    table: Table, text: str | None, label: str | None, *, labelled: bool, others: Mapping[str, str | None]
) -> Columns:
    """With several inputs, columns are found by their names only."""
    found: dict[str, str] = {}
    taken = {name for name in (text, label, *others.values()) if name}
    for role, named in others.items():
        column = named or _by_name([each for each in table.columns if each not in taken], [OTHER_NAMES[role]], None)
        if column is None:
            raise DataError(
                say(
                    "{path}: can't tell which column holds {what}. Name it: {flag} COLUMN. Its columns: {columns}.",
                    path=table.path,
                    what=say("the question") if role == "question" else say("the second text"),
                    flag=_flag(role),
                    columns=", ".join(table.columns),
                )
            )
        found[role] = column
        taken.add(column)
    rest = replace(table, columns=[each for each in table.columns if each not in found.values()])
    chosen = choose_columns(rest, text=text, label=label, labelled=labelled)
    return replace(chosen, others=found)


def _flag(role: str) -> str:
    return "--" + role.replace("_", "-")


def folded(name: str) -> str:
    """``name`` as the lists have it: full width folded, lower case, no spaces, "_" or "-"."""
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c not in " _-\t\u3000")


def _by_name(columns: Sequence[str], names: Sequence[Sequence[str]], besides: str | None) -> str | None:
    for line in names:
        found = [column for column in columns if column != besides and folded(column) in line]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _by_content(table: Table, text: str | None, label: str | None, *, labelled: bool) -> Columns:
    first = list(islice((row for row in table if not isinstance(row, Blank)), SAMPLE_ROWS))
    rows = [row for row in first if isinstance(row, Row)]
    require_mostly_usable(table.path, len(rows), [row for row in first if isinstance(row, SetAside)])
    profiles = {column: _profile(rows, column) for column in table.columns}
    notes = []
    if text is None:
        text = _longest([p for p in profiles.values() if p.like_text and p.name != label])
        if text is None:
            raise _unclear(table, profiles, labelled=labelled)
        notes.append(say("Text column “{name}”, found by its content.", name=text))
    if labelled and label is None:
        likely = [p.name for p in profiles.values() if p.like_label and p.name != text]
        if len(likely) != 1:
            raise _unclear(table, profiles, labelled=labelled)
        label = likely[0]
        notes.append(say("Label column “{name}”, found by its content.", name=label))
    return Columns(text, label if labelled else None, tuple(notes))


def _longest(profiles: list[_Profile]) -> str | None:
    ranked = sorted(profiles, key=lambda p: p.mean_length, reverse=True)
    if not ranked or (len(ranked) > 1 and ranked[0].mean_length < _CLEARLY_LONGER * ranked[1].mean_length):
        return None
    return ranked[0].name


def _profile(rows: Sequence[Row], column: str) -> _Profile:
    values = [value for value in (_plain(row.values.get(column)) for row in rows) if value]
    return _Profile(
        name=column,
        sample=values[0] if values else "",
        filled=len(values) / max(1, len(rows)),
        mean_length=sum(map(len, values)) / max(1, len(values)),
        distinct=len(set(values)),
        count=len(values),
        wordy=sum(1 for value in values if _has_words(value)) / max(1, len(values)),
    )


def _plain(value: Any) -> str | None:
    return label_of(value)[0] or text_of(value)[0]


def _has_words(value: str) -> bool:
    """Whether there are letters, and spaces or letters beyond ASCII: numbers, dates, addresses and codes lack them."""
    return any(c.isalpha() for c in value) and (" " in value or any(c.isalpha() and not c.isascii() for c in value))


def _not_there(table: Table, named: str, flag: str) -> DataError:
    by_fold = {folded(column): column for column in table.columns}
    near = difflib.get_close_matches(folded(named), by_fold, n=1, cutoff=0.6)
    if near:
        return DataError(
            say(
                "{path} has no column “{name}” ({flag}). Did you mean “{near}”? Its columns: {columns}.",
                path=table.path,
                name=named,
                flag=flag,
                near=by_fold[near[0]],
                columns=", ".join(table.columns),
            )
        )
    return DataError(
        say(
            "{path} has no column “{name}” ({flag}). Its columns: {columns}.",
            path=table.path,
            name=named,
            flag=flag,
            columns=", ".join(table.columns),
        )
    )


def _unclear(table: Table, profiles: dict[str, _Profile], *, labelled: bool) -> DataError:
    listed = "\n".join(f"    {name}: {_short(profile.sample)}" for name, profile in profiles.items())
    if labelled:
        return DataError(
            say(
                "{path}: can't tell which column holds the text and which the label. Name both: "
                "--text COLUMN --label COLUMN. The columns, each with a value:\n{listed}",
                path=table.path,
                listed=listed,
            )
        )
    return DataError(
        say(
            "{path}: can't tell which column holds the text. Name it: --text COLUMN. "
            "The columns, each with a value:\n{listed}",
            path=table.path,
            listed=listed,
        )
    )


def _short(sample: str) -> str:
    line = " ".join(sample.split())
    return line if len(line) <= 40 else line[:39] + "…"
