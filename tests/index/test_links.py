"""Dead links are found without a network."""

from __future__ import annotations

from pathlib import Path

from weitiao.index.links import DeadLink, dead_links


def test_what_leads_nowhere_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.md").write_text(
        "# First part\n\n[there](sub/b.html#prices) [gone](sub/c.html)\n\n[here](#first-part) [not here](#second)\n"
        "[web](https://example.org/x) [site](/prices) [mail](mailto:a@example.org)\n![picture](no.png)\n",
        encoding="utf-8",
    )
    (tmp_path / "sub" / "b.html").write_text(
        '<h1 id="prices">Prices</h1><a href="../a.md#first-part">up</a>\n<a href="../a.md#last">wrong</a>\n'
        '<a href="%E4%BB%B7.md">named in Chinese</a><a href="http://[">broken</a>',
        encoding="utf-8",
    )
    (tmp_path / "sub" / "价.md").write_text("价格", encoding="utf-8")
    (tmp_path / "c.csv").write_text("question,answer\nq,a\n", encoding="utf-8")
    assert list(dead_links(tmp_path)) == [
        DeadLink("a.md", 3, "sub/c.html"),
        DeadLink("a.md", 5, "#second"),
        DeadLink("a.md", 7, "no.png"),
        DeadLink("sub/b.html", 2, "../a.md#last"),
        DeadLink("sub/b.html", 3, "http://["),
    ]
