"""One real server for all attacks: the example shop with hostile documents, every channel open, keys needed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import platforms
from attacked import Attacked
from hostile_documents import add_hostile_documents
from platforms import Platforms
from support_server import RunningDesk
from weitiao.store import keys, open_store


@pytest.fixture(scope="session")
def attacked(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    folder = tmp_path_factory.mktemp("attacked") / "shop"
    shutil.copytree(shop, folder)
    (folder.parent / "outside.md").write_text("# Payroll\n\nThe director's secret salary is 7,777,777 yuan a year.\n")
    add_hostile_documents(folder / "documents", folder.parent / "outside.md")
    there = Platforms()
    with (folder / "support.toml").open("a", encoding="utf-8") as file:
        file.write(platforms.settings(there.api) + f'[compose]\nmodel = "hostile"\nendpoint = "{there.api}/v1"\n')
    with open_store(folder / "support.db") as store:
        agent = keys.add(store, "an agent", ["agent"])["key"]
        other = keys.add(store, "another program", ["predict", "metrics"])["key"]
    running = RunningDesk(folder, platforms.SECRETS, proxies=["127.0.0.1"])
    yield Attacked(running, there, agent, other)
    running.stop()
    there.close()
    log = running.log.read_text(encoding="utf-8")
    assert "unforeseen" not in log, log[-5000:]
    for secret in platforms.SECRETS.values():
        assert secret not in log


@pytest.fixture(autouse=True)
def told(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    """What is attacked and what must come of it, for the report of `benchmarks/support_attack.py`."""
    attack, _, expected = (request.function.__doc__ or "").partition(" → ")
    record_property("attack", attack.strip())
    record_property("expected", expected.strip().rstrip("."))
