"""What `check` finds, says and writes."""

import csv
import json
from pathlib import Path

import pytest

from weitiao.data.label_names import alike
from weitiao.data.language import language, shares
from weitiao.data.lengths import lengths, tokens
from weitiao.data.load import load
from weitiao.errors import DataError, OutputError, RecipeError
from weitiao.tuning.check import check


@pytest.fixture
def table(tmp_path: Path) -> Path:
    lines = [f"这台机器第{n}天就坏了，客服也不理人,{'差' if n % 12 else '好'}" for n in range(120)]
    lines += [lines[1], "说不清楚,好", "说不清楚,差", ",好", "没有标签的一行,", "多了,一,列"]
    path = tmp_path / "评论.csv"
    path.write_text("\n".join(["评论,标签", *lines]) + "\n", encoding="gb18030")
    return path


def test_figures(table: Path) -> None:
    found = check(table)
    assert json.loads(json.dumps(found)) == found
    assert (found["format"], found["encoding"]) == ("csv", "gb18030")
    assert (found["rows"], found["usable"], found["set_aside"]) == (126, 120, 5)
    assert (found["duplicates"], found["contradictions"]) == (1, 2)
    assert found["usable"] + found["set_aside"] + found["duplicates"] == found["rows"]
    assert sum(found["set_aside_reasons"].values()) == 3
    assert found["classes"] == {"差": 110, "好": 10}
    assert found["imbalance"] == 11
    assert found["languages"] == {"zh": 1.0, "en": 0.0, "other": 0.0}
    assert found["ready"]
    assert found["set_aside_file"] is None
    assert {item["severity"] for item in found["verdict"]} == {"warning", "info"}


def test_blank_rows_are_counted_and_nothing_more(table: Path) -> None:
    before = check(table)
    lines = table.read_text(encoding="gb18030").splitlines()
    table.write_text("\n".join([*lines[:9], "", ",", *lines[9:], "", ""]) + "\n", encoding="gb18030")
    found = check(table)
    assert (found["rows"], found["blank"]) == (128, 2)
    assert found["usable"] + found["set_aside"] + found["duplicates"] + found["blank"] == found["rows"]
    assert "2 rows between the others are blank." in [item["message"] for item in found["verdict"]]
    for same in ("usable", "set_aside", "set_aside_reasons", "duplicates", "classes", "ready"):
        assert found[same] == before[same]


def test_files(table: Path, tmp_path: Path) -> None:
    found = check(table, out=tmp_path / "made" / "here")
    with open(found["set_aside_file"], encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["row"]) for row in rows] == [123, 124, 125, 126, 127]
    assert rows[-1]["raw"] == "多了,一,列"
    cleaned = load(found["cleaned_file"])
    assert len(cleaned.examples) == found["usable"]
    assert (cleaned.text_column, cleaned.label_column) == ("评论", "标签")
    assert check(found["cleaned_file"])["set_aside"] == 0


def test_out_in_the_way(table: Path) -> None:
    with pytest.raises(OutputError, match="can't be made a folder"):
        check(table, out=table)


def test_one_class_is_an_error_in_the_verdict(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"row {n},x\n" for n in range(20)))
    found = check(path)
    assert not found["ready"]
    assert found["verdict"][0]["severity"] == "error"
    assert "only one class" in found["verdict"][0]["message"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("这个手机很好", "zh"),
        ("iPhone 8贴上去四周翘边非常严重", "zh"),
        ("I like my new phone", "en"),
        ("très bien", "en"),
        ("これはとても良い商品です", "other"),
        ("이 제품은 정말 좋아요", "other"),
        ("Очень хорошо", "other"),
        ("12345 !!!", "other"),
    ],
)
def test_language(text: str, expected: str) -> None:
    assert language(text) == expected


def test_shares_and_lengths() -> None:
    found = map(language, ["你好", "hello", "hello", "привет"])
    assert shares(list(found)) == {"zh": 0.25, "en": 0.5, "other": 0.25}
    assert lengths(list(range(1, 101))) == {"mean": 50.5, "p50": 50, "p95": 95, "p99": 99, "max": 100}
    assert lengths([]) == {"mean": 0.0, "p50": 0, "p95": 0, "p99": 0, "max": 0}


def test_the_table_itself_is_never_overwritten(table: Path, tmp_path: Path) -> None:
    own = tmp_path / "cleaned.csv"
    own.write_bytes(table.read_bytes())
    with pytest.raises(OutputError, match="would be overwritten"):
        check(own, out=tmp_path)
    assert own.read_bytes() == table.read_bytes()


def test_rows_with_personal_data_are_counted_and_none_is_shown(tmp_path: Path) -> None:
    texts = [f"第{n}条，物流不错" for n in range(20)]
    texts += ["我的电话13812345678和13912345678", "请打13712345678，邮箱li@example.com"]
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"{text},{'ab'[n % 2]}\n" for n, text in enumerate(texts)))
    found = check(path)
    assert found["personal_data"] == {"rows": 2, "kinds": {"mobile": 2, "email": 1}}
    said = [item["message"] for item in found["verdict"] if "personal data" in item["message"]]
    assert len(said) == 1
    assert "mobile 2, email 1" in said[0]
    assert "138" not in json.dumps(found)


@pytest.mark.parametrize(
    ("classes", "groups"),
    [
        ({"Refund": 9, "refund": 40, "refunds": 5, "other": 30}, [["refund", "Refund", "refunds"]]),
        ({"退款": 9, "退 款": 1, "退款！": 1, "退货": 8}, [["退款", "退 款", "退款！"]]),
        ({"ｃａｒｄ": 2, "card": 3}, [["card", "ｃａｒｄ"]]),
        ({"complaint": 100, "complant": 2, "complains": 50}, [["complaint", "complant"]]),
        ({"level 1": 100, "level 2": 3, "question 10": 100, "question 11": 1}, []),
        ({"非常满意": 50, "非常不满意": 40, "一级": 50, "二级": 1}, []),
        ({"+": 5, "-": 5, "": 1}, []),
    ],
)
def test_label_names_that_look_the_same(classes: dict[str, int], groups: list[list[str]]) -> None:
    assert alike(classes) == groups


def test_tokens_and_what_a_limit_cuts() -> None:
    texts = ["x" * 10, "x" * 100, "x" * 300]
    found = tokens(texts, ["en"] * 3, lambda given: [len(text) for text in given])
    assert (found["max"], found["estimated"]) == (300, False)
    assert found["cut"]["128"] == {"texts": 0.3333, "tokens": round(172 / 410, 4)}
    assert found["cut"]["512"] == {"texts": 0, "tokens": 0}
    guessed = tokens(["好" * 160, "x" * 42], ["zh", "en"], None)
    assert guessed["estimated"]
    assert (guessed["max"], guessed["p50"]) == (102, 12)


def test_groups_and_times_that_a_random_split_would_part(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = [
        f"message {n} about thing {n * 37 % 101},{'ab'[n % 2]},u{n % 30},2024-01-{1 + n % 28:02d}" for n in range(120)
    ]
    path.write_text("\n".join(["text,label,user_id,written", *lines]) + "\n")

    def said(**named: str) -> str:
        found = check(path, **named)  # type: ignore[arg-type]
        return " ".join(item["message"] for item in found["verdict"])

    assert "tune --group user_id" in said()
    assert "tune --time written" in said()
    found = check(path, group="user_id", time="written", out=tmp_path / "out")
    assert found["groups"] == {"column": "user_id", "groups": 30, "shared": 1.0}
    assert found["times"]["first"] < found["times"]["last"]
    again = load(found["cleaned_file"], group="user_id", time="written")
    assert len(again.examples) == 120
    assert not again.set_aside


def test_the_cleaned_table_has_every_column_as_it_came(tmp_path: Path) -> None:
    rows: list[list[object]] = [[f"文本{n}还可以", "ab"[n % 2], f"2024-1-{1 + n % 28}", f"=1+{n}"] for n in range(30)]
    rows.append(["第一\n" * 1200, "a", "", ""])
    rows.append(["", "a", "2024-1-1", "no text"])
    rows.append(["=HYPERLINK(1)", "c", "", "too", "many"])
    found = check(rows_of(tmp_path / "t.csv", ["text", "label", "day", "more"], rows), out=tmp_path / "out")
    assert (found["usable"], found["set_aside"]) == (31, 2)
    with open(found["cleaned_file"], encoding="utf-8-sig", newline="") as file:
        cleaned = list(csv.DictReader(file))
    assert [row["day"] for row in cleaned[:30]] == [row[2] for row in rows[:30]]
    assert cleaned[3]["more"] == "=1+3"
    assert cleaned[30]["text"].count("第一") == 1200
    assert check(found["cleaned_file"])["set_aside"] == 0
    with open(found["set_aside_file"], encoding="utf-8-sig", newline="") as file:
        assert [row["raw"] for row in csv.DictReader(file)][1].startswith("'=HYPERLINK"), "no spreadsheet computes it"


def test_rows_that_share_a_line_stay_apart_in_the_cleaned_table(tmp_path: Path) -> None:
    rows = [{"text": f"文本{n}还可以", "label": "ab"[n % 2], "n": n} for n in range(30)]
    rows += [{"text": "文本3还可以", "label": "b", "n": 30}, {"text": "", "label": "a", "n": 31}]
    (tmp_path / "t.json").write_text(json.dumps(rows), encoding="utf-8")
    found = check(tmp_path / "t.json", out=tmp_path / "out")
    with open(found["cleaned_file"], encoding="utf-8-sig", newline="") as file:
        assert [(row["text"], row["n"]) for row in csv.DictReader(file)] == [
            (each["text"], str(each["n"])) for each in rows[:30]
        ]


def test_labels_of_a_held_out_table_that_training_lacks_are_an_error(table: Path, tmp_path: Path) -> None:
    test = tmp_path / "test.csv"
    test.write_text("评论,标签\n还可以吧也就那样,中\n", encoding="utf-8")
    found = check(table, test=test)
    assert not found["ready"]
    assert "The test table has labels" in found["verdict"][0]["message"]
    assert found["tables"]["test"]["usable"] == 1


def rows_of(path: Path, header: list[str], rows: list[list[object]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_other_tasks_are_read_as_tuning_reads_them(tmp_path: Path) -> None:
    several = rows_of(
        tmp_path / "several.csv",
        ["text", "labels"],
        [[f"the parcel number {n} came late", "delivery;price" if n % 2 else "[]"] for n in range(40)],
    )
    found = check(several, task="multilabel", out=tmp_path / "several")
    assert found["classes"] == {"delivery": 20, "price": 20}
    assert found["suspects"]["label_errors"] == 0
    assert check(found["cleaned_file"], task="multilabel")["classes"] == found["classes"]
    pairs = rows_of(
        tmp_path / "pairs.csv",
        ["sentence1", "sentence2", "label"],
        [["怎么修改我的收货地址，已经下单了还能改吗", f"第{n}号订单在哪里查看", str(n % 2)] for n in range(40)],
    )
    found = check(pairs, task="pair", out=tmp_path / "pairs")
    assert (found["text_column"], found["columns"]) == ("sentence1", {"text_b": "sentence2"})
    assert check(found["cleaned_file"], task="pair")["usable"] == found["usable"] == 40


def test_questions_on_one_text_are_no_duplicates(tmp_path: Path) -> None:
    text = "The library opened in 1911. It was paid for by the miners of the valley, who gave a penny a week. " * 3
    asked = ["When did the library open?", "Who paid for the building?", "How much did each miner give?"]
    rows: list[list[object]] = [[text, asked[0], "1911"], [text, asked[1], "the miners"], [text, asked[2], "a penny"]]
    rows += [
        [f"Of {name} nothing is known to this day.", f"Who was {name}?", ""] for name in ["Ada", "Bo", "Cy", "Di", "Ed"]
    ]
    rows.append([text, "When did the library open??", ""])
    found = check(rows_of(tmp_path / "qa.csv", ["context", "question", "answer"], rows), task="qa")
    assert found["usable"] == 9
    assert found["suspects"]["near_contradictions"] == 2, "an answer in one, none in the other"


def test_a_format_for_another_task_names_it(tmp_path: Path) -> None:
    (tmp_path / "cv.bmes").write_text("高 B-NAME\n勇 E-NAME\n： O\n\n" * 20, encoding="utf-8")
    with pytest.raises(DataError, match="--task tag"):
        check(tmp_path / "cv.bmes")
    found = check(tmp_path / "cv.bmes", task="tag", out=tmp_path / "out")
    assert (found["usable"], found["duplicates"]) == (1, 19)
    with open(found["cleaned_file"], encoding="utf-8-sig", newline="") as file:
        assert json.loads(next(csv.DictReader(file))["spans"]) == [
            {"start": 0, "end": 2, "label": "NAME", "text": "高勇"}
        ]
    with pytest.raises(RecipeError, match="quiz"):
        check(tmp_path / "cv.bmes", task="quiz")


def test_what_is_mostly_unusable_says_why_and_keeps_the_rows(tmp_path: Path) -> None:
    rows: list[list[object]] = [[f"第{n}条评论", '[{"start": 90, "end": 99, "label": "X"}]'] for n in range(30)]
    rows += [["住在北京", "[[2, 4, 9, 9]]"]] * 6 + [["住在上海", '[[2, 4, "LOC"]]']] * 9
    with pytest.raises(DataError, match="30 rows, the first is 2: a span lies outside") as caught:
        check(rows_of(tmp_path / "t.csv", ["text", "label"], rows), task="tag", out=tmp_path / "out")
    assert "6 rows, the first is 32: a span needs" in str(caught.value)
    with open(tmp_path / "out" / "set_aside.csv", encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == 36
    assert "set_aside.csv" in str(caught.value)


def test_one_column_named_twice_is_said(tmp_path: Path) -> None:
    rows: list[list[object]] = [[f"问{n}", f"答{n}", n % 2] for n in range(20)]
    table = rows_of(tmp_path / "t.csv", ["问题一", "问题二", "相同"], rows)
    with pytest.raises(DataError, match="named both by --text and by --text-b"):
        check(table, task="pair", text="问题一", text_b="问题一", label="相同")
    assert check(table, task="pair", label="相同")["columns"] == {"text_b": "问题二"}
