"""Groups and times among the rows: what a random split would part or mix."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Any

from weitiao.data.columns import SAMPLE_ROWS, folded
from weitiao.data.read import read_rows
from weitiao.data.table import Row
from weitiao.data.values import group_of, time_of
from weitiao.languages import say
from weitiao.types import Dataset

GROUP_NAMES = (
    *("id", "user", "userid", "customer", "customerid", "client", "company", "code", "session", "sessionid", "author"),
    *("conversation", "conversationid", "dialogue", "dialogid", "thread", "threadid", "document", "docid", "patient"),
    *("patientid", "order", "orderid", "product", "productid", "source", "account", "phone"),
    *("用户", "用户id", "客户", "客户id", "客户编号", "公司", "公司名称", "代码", "股票代码", "会话", "会话id", "作者"),
    *("订单", "订单号", "订单编号", "商品", "商品id", "患者", "账号", "手机号", "来源", "对话id", "文档id"),
)
_MOSTLY = 0.95  # of the values can be read as a time
_SHARED = 0.1  # of the rows share their value with another


def companions(dataset: Dataset) -> dict[str, Any]:
    """``groups`` {column, groups, shared: share of the rows not alone in theirs} and ``times`` {column, first, last}.

    Each None where no such column was named.
    """
    groups = times = None
    if dataset.group_column:
        counts = Counter(example.group for example in dataset.examples if example.group is not None)
        shared = sum(count for count in counts.values() if count > 1)
        rows = max(1, len(dataset.examples))
        groups = {"column": dataset.group_column, "groups": len(counts), "shared": round(shared / rows, 4)}
    if dataset.time_column:
        moments = [example.time.isoformat() for example in dataset.examples if example.time]
        times = {"column": dataset.time_column, "first": min(moments, default=""), "last": max(moments, default="")}
    return {"groups": groups, "times": times}


def warnings(dataset: Dataset, found: dict[str, Any]) -> list[str]:
    """What to say of the columns that were named, and of others in the first rows that look like groups or times."""
    said = []
    groups, times = found["groups"], found["times"]
    if groups and groups["shared"]:
        said.append(_group_warning(groups["column"], groups["shared"]))
    if times and times["first"] < times["last"]:
        said.append(_time_warning(times["column"], times["first"][:10], times["last"][:10]))
    table = read_rows(dataset.source, encoding=dataset.encoding)
    rows = [row for row in islice(table, SAMPLE_ROWS) if isinstance(row, Row)]
    for column in table.columns:
        read = (dataset.text_column, dataset.label_column, dataset.group_column, dataset.time_column)
        if column in (*read, *dataset.columns.values()):
            continue
        values = [value for row in rows if (value := row.values.get(column)) not in (None, "")]
        moments = [moment for value in values if (moment := time_of(value)[0])]
        if not times and moments and len(moments) > _MOSTLY * len(rows) and min(moments) < max(moments):
            said.append(_time_warning(column, f"{min(moments):%Y-%m-%d}", f"{max(moments):%Y-%m-%d}"))
        elif not groups and folded(column) in GROUP_NAMES:
            counts = Counter(group_of(value)[0] for value in values)
            shared = sum(count for count in counts.values() if count > 1) / max(1, len(rows))
            if shared > _SHARED and len(counts) > 2:
                said.append(_group_warning(column, shared))
    return said


def _group_warning(column: str, shared: float) -> str:
    return say(
        "{share:.0%} of the rows share their “{column}” with another row: a random split parts them, and figures look "
        "better than they will be on a new “{column}”. tune --group {column} keeps them together.",
        share=shared,
        column=column,
    )


def _time_warning(column: str, first: str, last: str) -> str:
    return say(
        "The rows have times in “{column}” ({first} to {last}): a random split measures on the past. tune --time "
        "{column} measures on the newest.",
        column=column,
        first=first,
        last=last,
    )
