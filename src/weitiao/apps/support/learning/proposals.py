"""Proposals for a person to read, change, and accept: a YAML file.

    # 34 questions: 31 rejected, 2 corrected, 1 rated badly. Words: gift, wrap
    group_1:
      accept: false
      name: gift_wrap
      title: {en: Can you wrap it as a gift?, zh: ''}
      answer: {en: We wrap …, zh: ''}
      examples:
      - Can you wrap it as a gift?

Where ``name`` is that of an intent that is there already, its examples are added to it, and title and answer are not
read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weitiao.apps.support.learning.answers import Answer, best_answers
from weitiao.apps.support.learning.groups import Encode, encoder_for, group_questions
from weitiao.apps.support.learning.heard import Heard
from weitiao.apps.support.learning.naming import intent_name, telling_words
from weitiao.apps.support.learning.remembering import Remembering
from weitiao.apps.support.lines import line_at, read_yaml
from weitiao.apps.support.project import NAME
from weitiao.data.language import language
from weitiao.errors import OutputError, ProjectError, require
from weitiao.files import unfinished
from weitiao.languages import say
from weitiao.settings import faults_of

MOST_EXAMPLES, SHOWN_ANSWERS = 60, 3
LONGEST = 120  # characters of a title

Look = Callable[[str], str | None]


class Proposal(BaseModel):
    """One group of questions: an intent to be made of it, or one that it belongs to."""

    model_config = ConfigDict(extra="forbid")

    accept: bool = False
    name: str = Field(pattern=f"^{NAME.pattern}$")
    title: dict[str, str] = {}
    answer: dict[str, str] = {}
    examples: list[str] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Proposed:
    """A proposal, and what is told of it: how many asked, in which way they came, words, who else answered what."""

    proposal: Proposal
    count: int
    whys: dict[str, int]
    words: list[str]
    like: str | None
    others: list[Answer]
    passage: str | None


def propose(
    heard: Sequence[Heard], examples: Sequence[tuple[str, str]] = (), languages: Sequence[str] = ("en", "zh"),
    *, encode: Encode | None = None, look_up: Look | None = None, seed: int = 0,
) -> list[Proposed]:  # fmt: skip
    """What to make of the questions that were ``heard``, the most frequent first.

    ``examples`` (text, intent) are those of the intents that are there; ``look_up`` gives the best passage for a
    question.
    """
    by_text: dict[str, list[Heard]] = {}
    for each in heard:
        by_text.setdefault(each.text, []).append(each)
    known = {text for text, _ in examples}
    texts = [text for text in by_text if text not in known]
    if not texts:
        return []
    encode = Remembering(encode or encoder_for([*texts, *known]))
    groups = group_questions(texts, examples, encode=encode, seed=seed)
    said = [[texts[place] for place in group.members] for group in groups]
    sources = [[each for text in some for each in by_text[text]] for some in said]
    answers = best_answers(said, [_given(some) for some in sources], encode)
    taken = {name for _, name in examples}
    found = []
    for group, some, of, given, words in zip(groups, said, sources, answers, telling_words(said), strict=True):
        name = group.like or intent_name(words, taken)
        taken.add(name)
        best = {each: _template(next((one.text for one in given if one.language == each), "")) for each in languages}
        proposal = Proposal(
            name=name,
            title={each: _title(some, each) for each in languages},
            answer=best,
            examples=some[:MOST_EXAMPLES],
        )
        others = [answer for answer in given if _template(answer.text) not in best.values()][:SHOWN_ANSWERS]
        passage = look_up(some[0]) if look_up and not any(best.values()) else None
        whys = dict(Counter(str(each.why) for each in of))
        found.append(Proposed(proposal, len(of), whys, words, group.like, others, passage))
    return sorted(found, key=lambda each: -each.count)


def write_proposals(path: Path, proposed: Iterable[Proposed]) -> None:
    """The file for a person to go through, with what is told of each proposal as a comment. Raises `OutputError`."""
    require("yaml", "support")
    import yaml

    parts = [_comment(say(
        "Questions in groups. Read, change what is wrong, set accept: true where it is right, then: "
        "weitiao support accept FOLDER. Where the name is that of an intent that is there, its examples are added."
    ))]  # fmt: skip
    for number, each in enumerate(proposed, 1):
        block = {f"group_{number}": each.proposal.model_dump()}
        parts += ["", _comment("\n".join(_told(each)))]
        parts.append(yaml.safe_dump(block, allow_unicode=True, sort_keys=False, width=10_000).rstrip())
    try:
        with unfinished(path) as part:
            part.write_text("\n".join(parts) + "\n", encoding="utf-8")
            part.replace(path)
    except OSError as error:
        raise OutputError(say("{path} can't be written: {why}", path=path, why=error.strerror)) from None


def read_proposals(path: Path) -> list[Proposal]:
    """The proposals of a file. Raises `ProjectError` with every fault, each with its line."""
    lines, problems = read_yaml(path)
    faults, found = [f"{path.name}{problem}" for problem in problems], []
    for name, line in lines.items():
        try:
            found.append(Proposal.model_validate(line.value))
        except ValidationError as error:
            faults += [f"{path.name}:{line_at(path, [name, *at])}: {name}: {why}" for at, why in faults_of(error)]
    if faults:
        raise ProjectError(
            say("{file} has {count} fault(s):\n{faults}", file=path, count=len(faults), faults="\n".join(faults)),
            faults,
        )
    return found


def summed(each: Proposed) -> dict[str, Any]:
    """A proposal in short, for JSON."""
    return {
        "name": each.proposal.name, "questions": each.count, "why": each.whys, "words": each.words, "like": each.like,
        "example": each.proposal.examples[0], "answered": any(each.proposal.answer.values()),
    }  # fmt: skip


def _given(heard: Sequence[Heard]) -> list[tuple[str, bool]]:
    """Every answer of each conversation once."""
    found: dict[tuple[str, str], bool] = {}
    for each in heard:
        for answer in each.answers:
            found.setdefault((each.conversation, answer), each.helped)
    return [(answer, helped) for (_, answer), helped in found.items()]


def _template(answer: str) -> str:
    """An answer as a template in which nothing is filled in."""
    return answer.replace("{", "{{").replace("}", "}}")


def _title(texts: Sequence[str], of: str) -> str:
    """The most typical question in a language that is short enough to be a title."""
    return next((text for text in texts if language(text) == of and len(text) <= LONGEST), "")


def _told(each: Proposed) -> list[str]:
    whys = {
        "rejected": say("rejected"),
        "corrected": say("corrected"),
        "rated badly": say("rated badly"),
        "asked": say("asked"),
    }
    counts = ", ".join(f"{count} {whys[why]}" for why, count in each.whys.items())
    lines = [say("{count} questions: {counts}. Words: {words}", count=each.count, counts=counts,
                 words=", ".join(each.words) or "–")]  # fmt: skip
    if each.like:
        lines.append(say("They look like those of {intent}, which is there already.", intent=each.like))
    if each.passage:
        lines.append(say("The documents say: {text}", text=each.passage))
    lines += [say("Also answered ({count}×): {text}", count=other.given, text=other.text) for other in each.others]
    return lines


def _comment(text: str) -> str:
    return "\n".join(f"# {' '.join(line.split())}" for line in text.split("\n"))
