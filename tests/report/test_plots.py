"""Plots are well-formed inline SVG whose texts are texts."""

import re
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from weitiao import languages
from weitiao.report import plots, svg

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert('1')</script> & $\\frac{1}{2$ #010101 id=\"x"


def texts(drawing: str) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(drawing).iter(f"{SVG}text")]


def every_plot(label: str = "好评") -> list[Markup]:
    labels = [label, "b"]
    many = [f"{label}{i}" for i in range(77)]
    eye = [[39 if i == j else int(j == (i + 1) % 77) for j in range(77)] for i in range(77)]
    return [
        plots.bars([plots.Bar(label, 0.5, 0.4, 0.6), plots.Bar("b", 0.2)]),
        plots.bars([plots.Bar(label, 1200)], limit=None, percent=False),
        plots.confusion_matrix(labels, [[3, 1], [0, 0]]),
        plots.confusion_matrix(many, eye),
        plots.confused_pairs(labels, [[3, 1], [2, 0]]),
        plots.reliability([0, 0.5], [0.5, 1], [0, 4], [0, 0.9], [0, 0.7]),
        plots.learning_curves([(1, 2.0), (2, float("nan")), (3, 1.0)], [(2, 0.5), (3, 0.7)], "macro-F1"),
        plots.risk_coverage([(0.1, 0.0), (0.9, 0.05)], 0.02, (0.6, 0.02)),
    ]


@pytest.mark.parametrize("language", languages.LANGUAGES)
def test_all_plots_are_well_formed_and_themed(language: str) -> None:
    languages.use(language)
    for drawing in every_plot():
        assert texts(drawing)
        assert "DejaVu" not in drawing
        assert not re.search(r"(fill|stroke): #", drawing), "a colour that doesn't follow the page"
        assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", drawing)


def test_chinese_labels_are_text_in_fonts_that_have_them() -> None:
    drawing = plots.confusion_matrix(["好评", "差评"], [[8, 2], [1, 9]])
    assert {"好评", "差评", "8", "9"} <= set(texts(drawing))
    assert "Noto Sans CJK SC" in drawing
    assert "Microsoft YaHei" in drawing


def test_hostile_labels_stay_text() -> None:
    cut = texts(plots.bars([plots.Bar(HOSTILE, 0.5)]))
    assert any(text.startswith("<script>alert") for text in cut)
    for drawing in every_plot(HOSTILE):
        assert "<script" not in drawing
    kept = texts(plots.bars([plots.Bar('#010101 id="x" $5$', 0.5)]))
    assert '#010101 id="x" $5$' in kept


def test_the_same_plot_has_the_same_bytes_and_ids_of_its_own() -> None:
    first, again = every_plot(), every_plot()
    assert first == again
    ids = [re.findall(r'\bid="([^"]+)"', drawing) for drawing in first]
    everything = [each for found in ids for each in found]
    assert len(everything) == len(set(everything))
    for drawing in first:
        named = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", drawing))
        assert named <= set(re.findall(r'\bid="([^"]+)"', drawing))


def test_a_users_matplotlib_settings_are_neither_used_nor_changed() -> None:
    import matplotlib

    plain = plots.bars([plots.Bar("a", 0.5)])
    with matplotlib.rc_context({"svg.fonttype": "path", "font.size": 40}):
        assert plots.bars([plots.Bar("a", 0.5)]) == plain
        assert matplotlib.rcParams["font.size"] == 40


def test_threads_may_draw_at_the_same_time() -> None:
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: plots.bars([plots.Bar("a", 0.5)]), range(8)))
    assert len(set(drawn)) == 1


def test_nothing_to_show_gives_nothing() -> None:
    assert plots.confused_pairs(["a", "b"], [[1, 0], [0, 1]]) == ""
    assert plots.learning_curves([], [], "x") == ""
    assert plots.bars([])


def test_too_many_classes_for_a_matrix() -> None:
    with pytest.raises(ValueError, match="200 classes"):
        plots.confusion_matrix([str(i) for i in range(200)], [[0] * 200] * 200)


def test_numbers_in_cells_stay_short() -> None:
    assert [plots._short(n) for n in (0, 9999, 12345, 3_400_000, 10**9)] == ["0", "9999", "12k", "3.4M", "1.0G"]


def test_text_width_counts_chinese_twice() -> None:
    assert svg.text_width("微调") == 2 * svg.text_width("ab")
