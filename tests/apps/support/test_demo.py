"""The demo: every step is real, only the base is a tiny one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from weitiao.apps.support.demo import demo
from weitiao.errors import OutputError
from weitiao.pretrained.packaged import PACKAGED


def test_the_demo_leaves_a_project_and_two_reports(
    tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PACKAGED, "e5-small", dataclasses.replace(PACKAGED["e5-small"], folder=lambda: tiny_bert))
    monkeypatch.chdir(tmp_path)
    found = demo()
    folder = Path("weitiao-support-demo").resolve()
    assert found["folder"] == str(folder)
    assert found["check"]["faults"] == []
    assert found["test"]["conversations"] == 6
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "it&#39;s LT 204 881" in report
    assert "我要找律师" in report
    assert (folder / "shop" / "report.html").is_file()
    assert (folder / "shop" / ".gitignore").is_file()
    assert any("weitiao support new" in line for line in found["next"])
    with pytest.raises(OutputError, match="already there"):
        demo()
