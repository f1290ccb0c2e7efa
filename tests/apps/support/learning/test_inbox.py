"""From what a shop couldn't answer to a shop that can, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from learning_shop import ANSWERS, intents_of_example
from weitiao.apps.support import desk
from weitiao.apps.support.desk import BOT, NOTE, Outcome, Said
from weitiao.apps.support.learning import accept as accepting
from weitiao.apps.support.learning.accept import accept, added, changed, forget_learned
from weitiao.apps.support.learning.compared import compare, is_frozen
from weitiao.apps.support.learning.heard import unanswered
from weitiao.apps.support.learning.inbox import inbox
from weitiao.apps.support.learning.proposals import Proposal, read_proposals
from weitiao.apps.support.learning.turns import conversations
from weitiao.apps.support.project import INTENTS, read_project
from weitiao.apps.support.trained import model_of, open_bot
from weitiao.cli import app
from weitiao.errors import BarMissedError, ProjectError
from weitiao.store import Store, open_store


def run(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["support", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_what_was_not_answered_is_proposed_accepted_and_taken_back(own_shop: Path) -> None:
    found = run("inbox", str(own_shop))
    fees = next(group for group in found["groups"] if "shipping" in group["words"] or "运费" in group["words"])
    assert fees["like"] is None
    assert fees["why"]["rejected"] == fees["questions"] >= 10
    assert fees["answered"]
    path = own_shop / "inbox.yaml"
    assert found["inbox"] == str(path)
    text = path.read_text(encoding="utf-8")
    with pytest.raises(ProjectError, match="accept: true"):
        accept(own_shop)

    proposal = next(each for each in read_proposals(path) if each.name == fees["name"])
    assert set(proposal.answer.values()) == set(ANSWERS["delivery_fee"])
    before = (own_shop / INTENTS).read_text(encoding="utf-8")
    assert "# ours" in before
    block = text.index(f"name: {fees['name']}")
    start = text.rindex("accept: false", 0, block)
    mine = text[:start] + "accept: true" + text[start + len("accept: false") :]
    path.write_text(mine.replace(f"name: {fees['name']}", "name: delivery_fee"), encoding="utf-8")
    told = run("accept", str(own_shop))
    assert told["accepted"] == ["delivery_fee"]
    assert told["compared"]["before"]["n"] < told["compared"]["overall"]["n"]
    assert not told["compared"]["worse"]
    after = (own_shop / INTENTS).read_text(encoding="utf-8")
    assert after.startswith(before.rstrip())
    assert model_of(read_project(own_shop)) == Path(told["out"])  # nothing is left to be learned
    bot = open_bot(own_shop, documents=False)
    guesses = bot.intents.guess(intents_of_example()["delivery_fee"]["examples"][40:])
    assert sum(guess.ranked[0][0] == "delivery_fee" for guess in guesses) > 0.6 * len(guesses)

    back = run("rollback", str(own_shop))
    assert back["undone"] == told["out"]
    assert (own_shop / INTENTS).read_text(encoding="utf-8") == before


def test_what_makes_it_worse_is_not_taken(own_shop: Path) -> None:
    """An intent made of other intents' questions takes answers from them."""
    project = read_project(own_shop)
    stolen = [
        f"ok: {text}" for name in ("order_status", "invoice", "coupon") for text in project.intents[name].examples
    ]
    write_proposal(own_shop, "thief", stolen)
    before = (own_shop / INTENTS).read_bytes()
    with pytest.raises(BarMissedError, match="stays as it is"):
        accept(own_shop)
    assert (own_shop / INTENTS).read_bytes() == before
    assert model_of(read_project(own_shop))


def test_what_is_accepted_must_make_a_project(own_shop: Path) -> None:
    write_proposal(own_shop, "new_one", ["x y", "z"], zh="")
    with pytest.raises(ProjectError, match="no answer in zh"):
        accept(own_shop)
    write_proposal(own_shop, "Not a name", ["x y"])
    with pytest.raises(ProjectError, match=r"inbox\.yaml:8: group_1: name"):
        accept(own_shop)


def test_questions_of_a_known_intent_are_added_to_it(own_shop: Path) -> None:
    project = read_project(own_shop)
    text = added((own_shop / INTENTS).read_text("utf-8"), project, [Proposal(name="invoice", examples=["a bill, pls"])])
    after = changed(project, text)
    assert after.intents["invoice"].examples == [*project.intents["invoice"].examples, "a bill, pls"]
    assert after.folder == own_shop


def test_frozen_questions_are_learned_by_neither(own_shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = read_project(own_shop)
    (own_shop / "frozen.csv").write_text("text,intent\nmy own question,invoice\n", encoding="utf-8")
    learned: list[set[str]] = []

    def spy(examples: Any, *rest: Any, **named: Any) -> Any:
        learned.append({text for text, _ in examples})
        return train(examples, *rest, **named)

    train = accepting.compare.__globals__["train_intents"]
    monkeypatch.setitem(accepting.compare.__globals__, "train_intents", spy)
    found = compare(project, project)
    frozen = {text for text, _ in project.examples() if is_frozen(text)}
    assert found["overall"]["n"] == len(frozen) + 1
    assert 0.1 < len(frozen) / len(project.examples()) < 0.3
    assert [each & frozen for each in learned] == [set(), set()]
    assert found["overall"]["b"] == found["overall"]["c"] == 0
    assert not found["worse"]


def test_what_came_from_one_conversation_alone_is_forgotten(own_shop: Path) -> None:
    inbox(own_shop)
    with open_store(own_shop / "support.db") as store:
        heard = list(unanswered(conversations(store)))
    chosen = heard[0]
    ids = {each.conversation for each in heard if each.text == chosen.text}
    write_proposal(own_shop, "invoice", [chosen.text])
    project = read_project(own_shop)
    text = added((own_shop / INTENTS).read_text("utf-8"), project, read_proposals(own_shop / "inbox.yaml"))
    (own_shop / INTENTS).write_text(text, encoding="utf-8")
    assert forget_learned(own_shop, {"another"}) == 0
    assert forget_learned(own_shop, ids) == 1
    left = [path for path in own_shop.rglob("*.yaml*") if chosen.text in path.read_text(encoding="utf-8")]
    assert not left
    assert forget_learned(own_shop, ids) == 0


def write_proposal(folder: Path, name: str, examples: list[str], zh: str = "好") -> None:
    proposal = {"accept": True, "name": name, "title": {"en": "T", "zh": "题"}, "answer": {"en": "yes", "zh": zh}}
    block = {"group_1": {**proposal, "examples": examples}}
    (folder / "inbox.yaml").write_text(yaml.safe_dump(block, allow_unicode=True), encoding="utf-8")


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with open_store(tmp_path / "s.db") as opened:
        yield opened


def played(store: Store, *turns: tuple[str, list[Said]]) -> str:
    conversation = desk.begin(store, "web")["id"]
    for text, replies in turns:
        desk.turn(store, conversation, text, lambda *_, said=replies: Outcome(said, {}, "bot", "normal"))
    return conversation


def said(act: str, **details: Any) -> list[Said]:
    return [Said(BOT, "…", act, {"language": "en", **details})]


def test_rejected_corrected_and_badly_rated_questions_are_heard(store: Store) -> None:
    played(store, ("where can I park", said("clarify")), ("12345", said("clarify")))
    played(
        store, ("which colour is it", said("answer", intent="a")), ("no, the other thing", said("answer", intent="b"))
    )
    played(store, ("is it blue or not", said("answer", intent="a")), ("no, 12", said("answer", intent="a")))  # a value
    played(store, ("the one or the other", said("choose", intents=["a", "b"])), ("neither", said("clarify")))
    played(
        store, ("my number", said("ask", intent="a", slot="n")), ("I have no idea", said("hand_over", why="failures"))
    )
    played(store, ("I want a person", [*said("hand_over", why="wish"), Said(NOTE, "n")]))
    bad = played(store, ("do you sell trees", said("answer", intent="a")))
    desk.rate(store, bad, 2, -1)
    heard = {(each.text, each.why) for each in unanswered(conversations(store))}
    assert heard == {
        ("where can I park", "rejected"),
        ("which colour is it", "corrected"),
        ("the one or the other", "rejected"),
        ("do you sell trees", "rated badly"),
    }
