"""The pages tell the truth: their code runs; flags, keys, settings and links on them are those there are.

Code marked ``<!-- not run: reason -->`` is skipped with its reason. Commands run in this process, in one folder for all
pages, after those of the README; a tiny base stands in for the packaged ones.
"""

from __future__ import annotations

import csv
import dataclasses
import importlib
import inspect
import io
import json
import os
import re
import runpy
import shlex
import shutil
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import weitiao
from weitiao.cli import app
from weitiao.store import open_store
from weitiao.store.tables import Key
from weitiao.tuning.recipe import METHODS, SOLVED

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
ALL_PAGES = [*PAGES, ROOT / "README.zh.md", *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
VERBS = (
    "check",
    "tune",
    "ladder",
    "runs",
    "evaluate",
    "explain",
    "compress",
    "predict",
    "serve",
    "keys",
    "bases",
    "bundle",
    "alerts",
    "demo",
    "doctor",
    "state",
    "support",
)
WITH_KEYS = tuple(
    verb for verb in VERBS if verb not in ("demo", "serve")
)  # one takes minutes, one runs until it is stopped
NOT_OURS = {
    *("--no-index", "--find-links", "--no-deps"),  # pip's
    *("--logdir", "--backend-store-uri", "--project"),  # the trackers'
    "--epoch",  # one that a page shows being refused
}
BLOCK = re.compile(r"(?:<!-- not run: ([^\n]+?) -->\n)?^```(bash|python|toml)\n(.*?)^```", re.DOTALL | re.MULTILINE)
OTHER_PROGRAM = re.compile(
    r"^(?:sudo |podman |docker |pg_)(?:.*\\\n)*.*$", re.MULTILINE
)  # they have flags of their own
EXIT_CODE = re.compile(r"# exit code (\d+)")


@dataclass(frozen=True)
class Block:
    page: Path
    number: int
    reason: str | None
    kind: str
    code: str

    @property
    def id(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.number}"


def blocks_of(page: Path) -> list[Block]:
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(page, number, *match.groups()) for number, match in enumerate(found, 1)]


def is_service(block: Block) -> bool:
    """Whether a TOML block is a service's settings; the others are recipes."""
    return block.code.startswith("[")


@dataclass
class Shelf:
    """The folder in which all pages' code runs, what Python code of a page defined, what --json printed on a page."""

    folder: Path
    names: dict[Path, dict[str, Any]] = field(default_factory=dict)
    keys: dict[Path, set[str]] = field(default_factory=dict)

    def run(self, block: Block) -> None:
        if block.kind == "toml":
            (self.folder / ("service.toml" if is_service(block) else "recipe.toml")).write_text(
                block.code, encoding="utf-8"
            )
        elif block.kind == "python":
            code = compile(block.code, block.id, "exec")
            exec(code, self.names.setdefault(block.page, {"__name__": "page"}))
        else:
            for line in block.code.replace("\\\n", " ").splitlines():
                if line.strip() and not line.lstrip().startswith("#"):
                    self.command(block.page, line)

    def command(self, page: Path, line: str) -> None:
        program, *arguments = shlex.split(line, comments=True)
        assert program == "weitiao", f"{line}: only weitiao's own commands run here; mark others as not run"
        result = CliRunner().invoke(app, arguments)
        wanted = EXIT_CODE.search(line)
        assert result.exit_code == (int(wanted.group(1)) if wanted else 0), f"{line}\n{result.output}"
        if wanted:
            assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
            assert "Traceback" not in result.output
        elif "--json" in arguments:
            self.keys.setdefault(page, set()).update(json.loads(result.stdout))


@pytest.fixture(scope="module")
def shelf(
    tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path, sentences: list[tuple[str, str]]
) -> Iterator[Shelf]:
    """Tables and a base as the pages name them, and what the README's commands made of them."""
    from weitiao.pretrained.packaged import PACKAGED

    folder = tmp_path_factory.mktemp("docs")
    _write(folder / "reviews.csv", [("text", "label"), *sentences])
    _write(folder / "held-out.csv", [("text", "label"), *((text + "!", label) for text, label in sentences[:20])])
    _write(folder / "new.csv", [("number", "评论"), *((str(row), text) for row, (text, _) in enumerate(sentences[:9]))])
    shutil.copytree(tiny_bert, folder / "my-base")
    shutil.copytree(ROOT / "examples", folder / "examples")
    with open_store(folder / "service" / "service.db") as store, store.write() as session:
        session.add(Key(id="k", name="a client", secret_sha256="0" * 64, scopes=[], created_at=0.0))
    with pytest.MonkeyPatch.context() as patch:
        for name, known in PACKAGED.items():
            patch.setitem(PACKAGED, name, dataclasses.replace(known, folder=lambda: tiny_bert))
        patch.chdir(folder)
        patch.setenv("WEITIAO_LANG", "en")
        for variable in ("ALERTS_SECRET", "SMTP_PASSWORD"):
            patch.setenv(variable, "for the pages only")
        patch.setenv("WECOM_URL", "http://127.0.0.1:9/")
        made = Shelf(folder)
        with pytest.MonkeyPatch.context() as calmer:
            # The rate that suits so narrow a base by its width makes answers that 8 bits turn over.
            calmer.setenv("WEITIAO_LEARNING_RATE", "0.003")
            for block in blocks_of(README):
                if not block.reason:
                    made.run(block)
        yield made


def _write(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.mark.parametrize("block", [b for page in PAGES for b in blocks_of(page)], ids=lambda block: block.id)
def test_code_on_the_pages_runs(block: Block, request: pytest.FixtureRequest) -> None:
    if block.reason:
        pytest.skip(f"{block.id}: {block.reason}")
    shelf = request.getfixturevalue("shelf")
    if block.page != README:  # the README's ran when the shelf was made
        shelf.run(block)


def test_the_runner_notices_a_command_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for code in ("weitiao check nothing.csv\n", "weitiao check x --nonsense\n", "ls\n"):
        with pytest.raises(AssertionError):
            Shelf(tmp_path).run(Block(tmp_path, 1, None, "bash", code))


@pytest.mark.parametrize("verb", WITH_KEYS)
def test_the_keys_of_the_json_are_those_on_the_page(verb: str, shelf: Shelf) -> None:
    page = ROOT / "docs" / f"{verb}.md"
    if page not in shelf.keys:  # run alone, not after the page's own code
        for block in blocks_of(page):
            if not block.reason:
                shelf.run(block)
    assert set(first_cells(section(page, "JSON"))) == shelf.keys[page]


@pytest.mark.parametrize("verb", VERBS)
def test_every_flag_has_its_row_and_every_row_its_flag(verb: str) -> None:
    page = ROOT / "docs" / f"{verb}.md"
    documented = {cell.split()[0] for cell in first_cells(section(page, "Flags"))}
    assert documented == flags_of(verb)


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_flag_that_is_not_there(page: Path) -> None:
    assert not flag_faults(page.read_text(encoding="utf-8"))


def flag_faults(text: str) -> set[str]:
    """Flags in ``text`` that their command, or outside of commands any verb, doesn't have."""
    faults = set()
    text = OTHER_PROGRAM.sub("", text)
    for verb, rest in re.findall(rf"^(?:\S+=\S+ )?weitiao +({'|'.join(VERBS)})\b(.*)$", text, re.MULTILINE):
        faults |= set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest)) - flags_of(verb) - {"--help"}
    anywhere = NOT_OURS.union(*map(flags_of, VERBS)) | {"--help"}
    return faults | set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) - anywhere


def test_a_flag_that_is_not_there_is_noticed() -> None:
    assert flag_faults("Give `--nonsense`.") == {"--nonsense"}
    assert flag_faults("weitiao check x.csv --epochs 3\n") == {"--epochs"}
    assert not flag_faults("weitiao tune x.csv --base e5-small\n")


def flags_of(verb: str) -> set[str]:
    command: Any = typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]
    names = {
        name
        for each in commands_in(command)
        for parameter in each.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    return {name for name in names if name.startswith("--")} - {"--help"}


def commands_in(command: Any) -> list[Any]:
    """A command's own commands, at any depth; itself where it has none."""
    if not hasattr(command, "commands"):
        return [command]
    return [below for each in command.commands.values() for below in commands_in(each)]


def section(page: Path, title: str) -> str:
    """The text under ``## title``, up to the next heading."""
    parts = re.split(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[title]


def first_cells(text: str) -> list[str]:
    """What stands in backticks in the first cell of each row of the tables in ``text``."""
    return [
        name for cell in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for name in re.findall(r"`([^`]+)`", cell)
    ]


def test_the_settings_of_a_recipe_and_their_defaults_are_those_on_the_page() -> None:
    table = section(ROOT / "docs" / "tune.md", _SETTINGS).partition("| method |")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \|", table, re.MULTILINE)
    fields = weitiao.Recipe.model_fields.items()
    assert [name for name, _ in rows] == [name for name, _ in fields]
    for name, each in fields:
        wanted = ("chosen", "none") if each.default in (None, "") else (str(each.default),)
        assert dict(rows)[name] in wanted, name


_SETTINGS = "Settings, and how those left open are chosen"


@pytest.mark.parametrize("method", [each for each in METHODS if each not in SOLVED])
def test_rates_and_epochs_are_those_on_the_page(method: str) -> None:
    module = importlib.import_module(f"weitiao.tuning.methods.{method}")
    shapes = [SimpleNamespace(layers=layers, hidden_size=size) for layers, size in ((6, 384), (12, 384), (12, 768))]
    numbers = [f"{float(f'{module.learning_rate(base):.2g}')}" for base in shapes]
    numbers += [str(module.epochs(rows)) for rows in (20, 100, 1000)]
    assert f"| `{method}` | {' | '.join(numbers)} |" in section(ROOT / "docs" / "tune.md", _SETTINGS)


def test_the_functions_are_those_on_the_page() -> None:
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    functions = {name: value for name in weitiao.__all__ if inspect.isfunction(value := getattr(weitiao, name))}
    functions |= {"bundle.show": weitiao.bundle.show, "bundle.verify": weitiao.bundle.verify}
    functions |= {"privacy.find": weitiao.privacy.find, "privacy.mask": weitiao.privacy.mask}
    missing = [written for name, each in functions.items() if (written := f"`{name}{_bare(each)}`") not in text]
    assert not missing
    assert all(f"`{name}`" in text for name in weitiao.__all__ if not name.islower())


def _bare(function: Callable[..., Any]) -> str:
    signature = inspect.signature(function)
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))


def test_the_bundle_format_names_every_key() -> None:
    from weitiao.bundle import BundleInfo

    page = ROOT / "docs" / "bundle-format.md"
    assert set(first_cells(section(page, "`bundle.json`"))) == set(BundleInfo.model_fields)


def test_both_readmes_run_the_same_code_and_name_the_same_rooms() -> None:
    english, chinese = README, ROOT / "README.zh.md"
    assert [block.code.split("#")[0] for block in blocks_of(english)] == [
        block.code.split("#")[0] for block in blocks_of(chinese)
    ]
    source = ROOT / "src" / "weitiao"
    rooms = {each.name + "/" for each in source.iterdir() if (each / "__init__.py").is_file()}
    rooms |= {each.name for each in source.glob("*.py") if not each.name.startswith("__")}
    for readme in (english, chinese):
        text = readme.read_text(encoding="utf-8")
        assert not [room for room in rooms if not re.search(rf"(?<![\w/]){re.escape(room)}(?= |,|，)", text)]
        assert set(re.findall(r"\]\((docs/[^)]+)\)", text)) == set(
            re.findall(r"\]\((docs/[^)]+)\)", english.read_text(encoding="utf-8"))
        )


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]


def test_the_make_targets_on_the_pages_are_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in ALL_PAGES:
        assert set(re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE)) <= targets


def test_every_verb_has_its_page_in_the_index() -> None:
    assert set(VERBS) == set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert all(f"({verb}.md)" in index for verb in VERBS)


def test_the_demo_draws_as_many_reviews_as_its_page_says() -> None:
    from weitiao.journey import ROWS

    assert f"it draws {ROWS:,} of" in (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")


def test_recipes_on_the_pages_are_recipes() -> None:
    for block in (block for page in PAGES for block in blocks_of(page) if block.kind == "toml"):
        if not is_service(block):
            weitiao.Recipe.model_validate(tomllib.loads(block.code))


def test_the_settings_of_alerts_are_those_on_the_page() -> None:
    page = ROOT / "docs" / "alerts.md"
    (block,) = (block for block in blocks_of(page) if block.kind == "toml")
    weitiao.alerts.AlertSettings.model_validate(tomllib.loads(block.code)["alerts"])
    fields = weitiao.alerts.Rule.model_fields.items()
    assert set(first_cells(section(page, "Rules"))) == {each.alias or name for name, each in fields}
    defaults = section(page, "Rules").partition("get seven: ")[2].partition(";")[0]
    assert re.findall(r"`([^`]+)`", defaults) == [rule.name for rule in weitiao.alerts.default_rules()]


def test_the_message_on_the_page_has_the_fields_of_a_message(tmp_path: Path) -> None:
    shown = json.loads(re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "alerts.md").read_text("utf-8"), re.DOTALL)[0])
    settings = weitiao.alerts.AlertSettings.model_validate({"webhooks": [{"name": "a", "url": "http://127.0.0.1:9/"}]})
    with weitiao.open_store(tmp_path / "a.db") as store:
        alarms = weitiao.alerts.Alarms(store, settings)
        alarms.observe({"error_rate": 0.12}, 1.0)
        (told,) = alarms.observe({"error_rate": 0.12}, 61.0)
    assert list(shown) == ["idempotency_key", *told]


def test_example_compare_methods(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(ROOT / "examples" / "compare_methods.py"))
    best = example["main"]("reviews.csv", "compared")
    assert f"Best: {Path('compared') / best}" in capsys.readouterr().out
    assert weitiao.bundle.verify(shelf.folder / "compared" / best)


def test_example_route_tickets(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = runpy.run_path(str(ROOT / "examples" / "route_tickets.py"))
    monkeypatch.setattr("sys.stdin", io.StringIO("服务很好\n\nthe room was awful\n"))
    example["main"]("my-bundle-int8", 1.01)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["a person"] * 2
    assert os.path.isdir(shelf.folder / "my-bundle-int8")
