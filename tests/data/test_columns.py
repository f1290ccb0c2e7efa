"""Columns by flag, by name and by content; and what is said where it isn't clear."""

from pathlib import Path

import pytest

from weitiao.data.columns import LABEL_NAMES, TEXT_NAMES, Columns, choose_columns, folded
from weitiao.data.read import read_rows
from weitiao.errors import DataError


def chosen(path: Path, content: str, **options: object) -> Columns:
    file = path / "a.csv"
    file.write_text(content, encoding="utf-8")
    return choose_columns(read_rows(file), **options)  # type: ignore[arg-type]


def table(names: str, *values: str, rows: int = 30) -> str:
    """Rows in which "{n}" counts and "{c}" is one of three classes."""
    lines = [",".join(value.format(n=n, c="abc"[n % 3]) for value in values) for n in range(rows)]
    return "\n".join([names, *lines]) + "\n"


@pytest.mark.parametrize(
    ("header", "text", "label"),
    [
        ("text,label", "text", "label"),
        ("LABEL,Text", "Text", "LABEL"),
        ("Ｔｅｘｔ,Ｌａｂｅｌ", "Ｔｅｘｔ", "Ｌａｂｅｌ"),
        ("评论内容,情感倾向", "评论内容", "情感倾向"),
        ("用户原话,意图", "用户原话", "意图"),
        ("Review Text,category_name", "Review Text", "category_name"),
        ("text,category", "text", "category"),
        ("label,label_desc,sentence", "sentence", "label"),
        ("cat,label,review", "review", "label"),
        ("title,text,type,label", "text", "label"),
    ],
)
def test_by_name(header: str, text: str, label: str, tmp_path: Path) -> None:
    content = f"{header}\n{','.join('x' for _ in header.split(','))}\n"
    assert chosen(tmp_path, content) == Columns(text, label)


def test_every_listed_name_is_as_names_are_compared() -> None:
    for names in (*TEXT_NAMES, *LABEL_NAMES):
        assert [folded(name) for name in names] == list(names)
    for kind in (TEXT_NAMES, LABEL_NAMES):
        listed = [name for names in kind for name in names]
        assert len(listed) == len(set(listed))
    assert not {n for names in TEXT_NAMES for n in names} & {n for names in LABEL_NAMES for n in names}


def test_by_content_is_noted(tmp_path: Path) -> None:
    content = table("序号,来源说法,归属", "{n}", "客户说的第{n}句话，很不满意", "{c}类")
    found = chosen(tmp_path, content)
    assert (found.text, found.label) == ("来源说法", "归属")
    assert len(found.notes) == 2
    assert "来源说法" in found.notes[0]


def test_named_one_leaves_the_other_to_be_found(tmp_path: Path) -> None:
    content = table("序号,来源说法,归属,地区", "{n}", "客户说的第{n}句话，很不满意", "{c}类", "{c}区")
    found = chosen(tmp_path, content, label="地区")
    assert (found.text, found.label) == ("来源说法", "地区")


def test_unlabelled_needs_the_text_alone(tmp_path: Path) -> None:
    content = table("编号,话", "{n}", "客户说的第{n}句话")
    assert chosen(tmp_path, content, labelled=False).label is None
    assert chosen(tmp_path, "text,label\na b,\n", labelled=False) == Columns("text", None)


@pytest.mark.parametrize(
    "content",
    [
        table("甲,乙,丙", "第{n}句话，很不满意", "第{n}个标题，不好看啊", "{c}"),  # two texts alike
        table("甲,乙,丙", "客户说的第{n}句话，很不满意", "{c}", "{c}类"),  # two labels
        table("category,intent,乙", "{c}", "{c}", "第{n}句话，很不满意"),  # two by name
        table("甲,乙", "客户说的第{n}句话，很不满意", "{n}"),  # none few enough
        table("甲,乙", "8f14e45fceea167a5a36dedd4bea25{n}", "{c}"),  # codes are no texts
    ],
)
def test_unclear_lists_columns_values_and_flags(content: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        chosen(tmp_path, content)
    said = str(caught.value)
    header, first = (line.split(",") for line in content.splitlines()[:2])
    assert "--text COLUMN --label COLUMN" in said
    assert "a.csv" in said
    assert all(f"    {name}: {value}" in said for name, value in zip(header, first, strict=True))


def test_a_named_column_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column “txt” \(--text\)\. Did you mean “text”"):
        chosen(tmp_path, "text,label\na,b\n", text="txt")
    with pytest.raises(DataError, match=r"no column “完全不同” \(--label\)\. Its columns: text, label"):
        chosen(tmp_path, "text,label\na,b\n", label="完全不同")


def test_one_column_for_both(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="both by --text and by --label"):
        chosen(tmp_path, "text,label\na,b\n", text="text", label="text")
