"""Every format, encoding and separator; rows that are set aside, and where reading goes on."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from weitiao.data.read import Blank, Row, read_rows
from weitiao.data.table import Formula
from weitiao.errors import DataError
from weitiao.types import SetAside

CHINESE = "文本,标签\n这个手机很好，我非常喜欢,正面\n质量不行，用了一天就坏了,负面\n"


def rows(path: Path, **options: str) -> list[tuple[int, list[str]]]:
    return [(r.number, list(r.values.values())) for r in read_rows(path, **options) if isinstance(r, Row)]


def blank(path: Path) -> list[int]:
    return [row.number for row in read_rows(path) if isinstance(row, Blank)]


def aside(path: Path) -> list[SetAside]:
    return [row for row in read_rows(path) if isinstance(row, SetAside)]


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("gb18030", "gb18030"), ("gbk", "gb18030"), ("utf-16", "utf-16")],
)
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_encodings(encoding: str, found: str, named: bool, ends: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(CHINESE.replace("\n", ends).encode(encoding))
    table = read_rows(path, encoding=encoding if named else None)
    assert table.encoding == found
    assert table.columns == ["文本", "标签"]
    assert rows(path) == [(2, ["这个手机很好，我非常喜欢", "正面"]), (3, ["质量不行，用了一天就坏了", "负面"])]


def test_named_encodings_beyond_the_found_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("text,label\ntrès bien,été\n".encode("latin-1"))
    assert rows(path, encoding="latin-1") == [(2, ["très bien", "été"])]
    path.write_bytes("text,label\n這個很好,正面\n".encode("big5"))
    assert rows(path, encoding="big5") == [(2, ["這個很好", "正面"])]


def test_bad_bytes_cost_their_row_only(tmp_path: Path) -> None:
    for encoding in ("utf-8", "gb18030"):
        lines = [b"text,label", *[f"这个东西真的很好{n},正面".encode(encoding) for n in range(20)]]
        lines[5] = b"\xff\xff" + lines[5]
        lines[9] = lines[9][:3] + b"\xff" + lines[9][4:]
        path = tmp_path / "a.csv"
        path.write_bytes(b"\n".join(lines) + b"\n")
        found = aside(path)
        assert [row.row for row in found] == [6, 10]
        assert all(encoding in row.reason and "\\xff" in row.raw for row in found)
        assert len(rows(path)) == 18
        for row in found:
            row.raw.encode()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators(separator: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.tsv" if separator == "\t" else "a.csv")
    path.write_text(f"text{separator}label\na b{separator}x\nc d{separator}y\n")
    assert rows(path) == [(2, ["a b", "x"]), (3, ["c d", "y"])]


def test_separator_by_the_rows_not_the_header_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text, with a comma;label\nhello, you;x\nand, me;y\nplain;x\n")
    assert read_rows(path).columns == ["text, with a comma", "label"]


def test_one_column_keeps_its_commas(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text\nhello, world\n"quoted, too"\n')
    assert rows(path) == [(2, ["hello, world"]), (3, ["quoted, too"])]


def test_rows_in_a_wrong_shape_are_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n\na,x\nb\nc,y,z\n,\nd,z\n")
    assert rows(path) == [(3, ["a", "x"]), (7, ["d", "z"])]
    assert [(row.row, row.raw) for row in aside(path)] == [(4, "b"), (5, "c,y,z")]
    assert blank(path) == [2, 6]


@pytest.mark.parametrize("line", ["", ",", '"",""', ",,,", "   ", "\t", "\u3000"])
def test_blank_lines_keep_their_number_and_those_at_the_end_are_none(line: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"text,label\na,x\n{line}\n{line}\nb,y\n{line}\nc,x\n{line}\n{line}\n", encoding="utf-8")
    assert rows(path) == [(2, ["a", "x"]), (5, ["b", "y"]), (7, ["c", "x"])]
    assert blank(path) == [3, 4, 6]
    assert aside(path) == []


def test_white_space_in_a_table_of_one_column_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text\na\n  \n\nb\n")
    assert rows(path) == [(2, ["a"]), (3, ["  "]), (5, ["b"])]
    assert blank(path) == [4]


def test_columns_are_found_below_many_blank_rows(tmp_path: Path) -> None:
    from weitiao.data.columns import choose_columns

    path = tmp_path / "a.csv"
    lines = [f"Was it any good on day {n}?,{n % 2}" for n in range(20)]
    path.write_text("what,how\n" + "\n" * 2000 + "\n".join(lines))
    assert choose_columns(read_rows(path)).text == "what"
    path = tmp_path / "a.jsonl"
    path.write_text("\n" * 2000 + json.dumps({"text": "a"}))
    assert read_rows(path).columns == ["text"]
    assert blank(path) == list(range(1, 2001))


def test_line_breaks_in_quotes_belong_to_the_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text,label\n"one\ntwo ""quoted""\nthree",x\nb,y\n')
    assert rows(path) == [(2, ['one\ntwo "quoted"\nthree', "x"]), (5, ["b", "y"])]


@pytest.mark.parametrize("bad", ['"never closed,x', '"closed" too early,x', 'a,"x'])
def test_an_open_quote_costs_its_line_only(bad: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    good = [f"row {n},x" for n in range(2000)]
    for place in (0, 700, 1999):
        lines = [*good[:place], bad, *good[place:]]
        lines.append('"a proper, quoted text",y')
        path.write_text("\n".join(["text,label", *lines]) + "\n")
        assert [(row.row, row.raw) for row in aside(path)] == [(place + 2, bad)]
        assert len(rows(path)) == 2001


def test_names_are_stripped_and_unnamed_columns_numbered(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",\ufeff text ,label,\n1,a,x,2\n", encoding="utf-8")
    assert read_rows(path).columns == ["column 1", "text", "label", "column 4"]


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"text": "a", "label": 1}\n\nnonsense\n[1]\n{"text": "b", "text": "c"}\n{"label": 2, "more": {}}\n'
    )
    assert read_rows(path).columns == ["text", "label", "more"]
    assert rows(path) == [(1, ["a", 1]), (6, [2, {}])]
    assert [row.row for row in aside(path)] == [3, 4, 5]
    assert blank(path) == [2]
    assert "the same key twice" in aside(path)[2].reason


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_json_array(indent: int | None, encoding: str, tmp_path: Path) -> None:
    held = [{"text": f'这是第{n}条，很不错的 [{{"', "label": n} for n in range(5000)]
    path = tmp_path / "a.json"
    path.write_bytes(json.dumps(held, ensure_ascii=False, indent=indent).encode(encoding))
    table = read_rows(path)
    assert [row.values for row in table if isinstance(row, Row)] == held
    if indent:
        assert [row.number for row in table if isinstance(row, Row)][:3] == [2, 6, 10]


def test_json_array_with_something_else_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"text": "a"},\n 17,\n {"text": "b"}, "c"]\n')
    assert rows(path) == [(1, ["a"]), (3, ["b"])]
    assert [(row.row, row.raw) for row in aside(path)] == [(2, "17"), (3, '"c"')]


def test_deeply_nested_json_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\n{"text": ' + "[" * 100_000 + "\n")
    assert [row.row for row in aside(path)] == [2]


def test_parquet_numbers_its_rows_from_one(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = arrow.table({"text": ["a", None], "label": arrow.array(["x", "y"]).dictionary_encode()})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert rows(tmp_path / "a.parquet") == [(1, ["a", "x"]), (2, [None, "y"])]
    parquet.write_table(table.rename_columns(["text", "text"]), tmp_path / "b.parquet")
    with pytest.raises(DataError, match="two columns are called “text”"):
        read_rows(tmp_path / "b.parquet")
    parquet.write_table(table.slice(0, 0), tmp_path / "c.parquet")
    with pytest.raises(DataError, match=r"c\.parquet holds no rows"):
        read_rows(tmp_path / "c.parquet")


def test_excel_skips_empty_sheets_and_rows(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.create_sheet("数据")
    rows_ = [[], ["文本", "标签", None], ["好", 1, None], [None, None], ["差", 0, "多余"], ["空"], ["#N/A", 1.5]]
    for row in [*rows_, ["a", 2, None, "b"]]:
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    table = read_rows(tmp_path / "a.xlsx")
    assert table.columns == ["文本", "标签"]
    assert rows(tmp_path / "a.xlsx") == [(3, ["好", 1]), (6, ["空", None]), (7, [None, 1.5])]
    assert [(row.row, row.raw) for row in aside(tmp_path / "a.xlsx")] == [(5, "差\t0\t多余"), (8, "a\t2\t\tb")]
    assert blank(tmp_path / "a.xlsx") == [4]
    assert "数据" in table.notes[0]
    assert list(table) == list(table)  # as often as one likes


def test_excel_numbers_rows_that_the_file_leaves_out(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for number, values in ((2, ("text", "label")), (3, ("a", "x")), (7, ("b", "y")), (8, ("", None)), (9, ("#N/A",))):
        for column, value in enumerate(values, start=1):
            book.active.cell(number, column, value)
    book.save(tmp_path / "a.xlsx")
    assert rows(tmp_path / "a.xlsx") == [(3, ["a", "x"]), (7, ["b", "y"])]
    assert blank(tmp_path / "a.xlsx") == [4, 5, 6]


def with_formulas(path: Path) -> Path:
    """Column b: never calculated; column c: results of both kinds, one an error, one an empty text."""
    import zipfile

    import openpyxl

    book = openpyxl.Workbook()
    for row in (["text", "b", "c"], ["好", "=1+1", "=2+2"], ["差", '="x"&"y"', "=1/0"], ["空", None, '=IF(1,"","z")']):
        book.active.append(row)
    book.active["B4"] = openpyxl.worksheet.formula.ArrayFormula("B4", "=SUM(1,2)")
    book.active["A5"] = "=A2"
    book.active["C5"] = "=plain text"
    book.active["C5"].data_type = "s"
    book.save(path.with_suffix(".before"))
    results = {"2+2": ("n", "4"), "1/0": ("e", "#DIV/0!"), 'IF(1,"","z")': ("str", "")}
    with zipfile.ZipFile(path.with_suffix(".before")) as before, zipfile.ZipFile(path, "w") as after:
        for name in before.namelist():
            content = before.read(name).decode()
            for formula, (kind, value) in results.items():
                content = re.sub(
                    rf'(<c r="\w+")(><f>{re.escape(formula)}</f>)<v(?: ?/>|></v>)',
                    rf'\1 t="{kind}"\2<v>{value}</v>',
                    content,
                )
            after.writestr(name, content)
    return path


def test_excel_formulas_without_a_result_stay_as_formulas(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    path = with_formulas(tmp_path / "a.xlsx")
    table = read_rows(path)
    assert rows(path) == [
        (2, ["好", "=1+1", 4]),
        (3, ["差", '="x"&"y"', None]),
        (4, ["空", "=SUM(1,2)", None]),
        (5, ["=A2", None, "=plain text"]),
    ]
    for _ in range(2):  # the note comes once, however often the table is read
        found = [value for row in table if isinstance(row, Row) for value in row.values.values()]
        assert sum(isinstance(value, Formula) for value in found) == 4
    assert len(table.notes) == 1
    assert "4 cells hold a formula" in table.notes[0]
    assert "(columns: b, text)" in table.notes[0]


def test_excel_with_a_title_above_the_header(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["客户评论汇总"], ["编号", "文本", "标签"], [1, "好", "x"]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(DataError, match=r"a\.xlsx, line 1: only 1 of 3 columns have a name"):
        read_rows(tmp_path / "a.xlsx")


def test_excel_without_rows(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(DataError, match="every sheet is empty"):
        read_rows(tmp_path / "a.xlsx")
    book.active.append(["text", "label"])
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(DataError, match="only a header"):
        read_rows(tmp_path / "a.xlsx")


def test_datasets_folder(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["差", "好"])})
    held = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, None]}, features=features)
    held.save_to_disk(tmp_path / "one")
    assert rows(tmp_path / "one") == [(1, ["a", "好"]), (2, ["b", "差"]), (3, ["c", None])]
    datasets.DatasetDict({"train": held, "test": held}).save_to_disk(tmp_path / "both")
    with pytest.raises(DataError, match=r"several splits \(train, test\).*both/train"):
        read_rows(tmp_path / "both")
    assert len(rows(tmp_path / "both" / "train")) == 3
    for file in (tmp_path / "one").glob("*.arrow"):
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(DataError, match="damaged or incomplete datasets folder"):
        read_rows(tmp_path / "one")


def test_hub_names_the_offline_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")

    def unreachable(name: str, split: str) -> None:
        assert (name, split) == ("org/name", "test")
        raise ConnectionError("Couldn't reach the Hub")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(DataError, match=r"hub:org/name:test.*Couldn't reach the Hub.*save_to_disk.*HF_ENDPOINT"):
        read_rows("hub:org/name:test")


def test_hub_reads_what_it_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    held = datasets.Dataset.from_dict({"text": ["a"], "label": ["x"]})
    monkeypatch.setattr(datasets, "load_dataset", lambda name, split: held if split == "train" else None)
    table = read_rows("hub:org/name")
    assert not table.is_file
    assert [row.values for row in table if isinstance(row, Row)] == [{"text": "a", "label": "x"}]


def test_no_heavy_import_for_text_tables(tmp_path: Path) -> None:
    import subprocess
    import sys

    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"a {n},{n % 2}\n" for n in range(20)))
    heavy = ("torch", "numpy", "pyarrow", "openpyxl", "datasets", "pandas", "sklearn")
    program = (
        "import sys; from weitiao.data.load import load; load(sys.argv[1]); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_missing_extra_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from weitiao.errors import MissingExtraError

    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setattr("weitiao.errors.importlib", SimpleNamespace(import_module=missing))
    with pytest.raises(MissingExtraError, match=r'pip install "weitiao\[tune\]"'):
        read_rows(path)


def missing(name: str) -> None:
    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
