"""One turn of the bot: what a message does to what it knows, and what it answers. Nothing is written or sent here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from weitiao.apps.support import cues, phrases
from weitiao.apps.support.desk import BOT, NOTE, Outcome, Said
from weitiao.apps.support.hours import when_open
from weitiao.apps.support.memory import Memory, Offered
from weitiao.apps.support.project import Intent, Project, listed
from weitiao.apps.support.reading import CLOSE, KNOWN, MOST_AT_ONCE, OFFERED, Reading, close
from weitiao.apps.support.slots import Found, find
from weitiao.apps.support.text import clauses, has_word, plain, says_anything, spoken
from weitiao.languages import speaking

if TYPE_CHECKING:
    from weitiao.apps.support.compose.composer import Composer
    from weitiao.apps.support.intents import Intents
    from weitiao.apps.support.spelling import Spelling
    from weitiao.index import Hit, Index

ANSWERS = ("answer", "found", "small_talk")
SHORT_LATIN, SHORT_HAN = 4, 6  # words, characters that are left of a message that only goes on with the last one
LONGER = 2  # times as many, where it says that it does
MOST_HITS = 6  # passages that are looked at
MAY_ANSWER = 0.05  # certainty from which a passage is offered; most of what no such firm answers finds none


@dataclass(frozen=True, slots=True)
class Bot:
    """A project with what understands its customers. ``clock`` tells the time at the firm."""

    project: Project
    intents: Intents
    index: Index | None
    clock: Callable[[], datetime]
    spelling: Spelling
    composer: Composer | None = None

    def respond(self, state: dict[str, Any], text: str) -> Outcome:
        """What follows from a customer's ``text``; ``state`` is that of the outcome before, empty at first."""
        message = plain(text)
        return self._outcome(state, message, message, _Turn.run)

    def call_person(self, state: dict[str, Any], text: str) -> Outcome:
        """What follows where the customer asked for a person by a button, which says ``text`` for them."""
        return self._outcome(state, text, "", lambda turn: turn.hand_over("wish"))

    def _outcome(self, state: dict[str, Any], said: str, message: str, act: Callable[[_Turn], None]) -> Outcome:
        """Of ``act`` on a turn that reads ``message``, in the language of what was ``said``."""
        memory = Memory.of(state)
        memory.language = spoken(said, memory.language or self.project.settings.languages[0])
        turn = _Turn(self, memory, message)
        with speaking(memory.language):
            act(turn)
        return Outcome(turn.said, memory.model_dump(), memory.status, memory.priority)


def firm_clock(project: Project) -> Callable[[], datetime]:
    """The time at the firm, without a zone."""
    zone = ZoneInfo(project.settings.hours.zone)
    return lambda: datetime.now(zone).replace(tzinfo=None)


@dataclass(slots=True)
class _Turn:
    bot: Bot
    memory: Memory
    text: str
    said: list[Said] = field(default_factory=list)
    found: dict[tuple[str, bool], Found] = field(default_factory=dict)
    _hits: list[Hit] | None = None
    reading: Reading = field(init=False)

    def __post_init__(self) -> None:
        self.reading = Reading(self.bot.intents, self.project)

    @property
    def project(self) -> Project:
        return self.bot.project

    def run(self) -> None:
        """Answer, by the first way that applies."""
        rules = self.project.settings.rules
        if has_word(self.text, listed(rules.angry)) and self.memory.priority == "normal":
            self.memory.priority = "high"
        if has_word(self.text, listed(rules.urgent)):
            self.memory.priority = "urgent"
            self.hand_over("risk")
        elif has_word(self.text, listed(rules.person)):
            self.hand_over("wish")
        elif not says_anything(self.text):
            self._clarify()
        else:
            self.text = self._mended()
            _ = self._pick() or self._correct() or self._fill() or self._go_on() or self._understand()

    def _mended(self) -> str:
        """The message without its typing errors, where it is understood better so."""
        mended = self.bot.spelling.corrected(self.text)
        if mended == self.text:
            return mended
        as_typed, as_mended = self.reading.guessed([self.text, mended])
        return mended if self.memory.asked or as_mended.score > as_typed.score else self.text

    # Ways to understand a message, each telling whether it applied.

    def _pick(self) -> bool:
        """One of the choices that were offered."""
        memory = self.memory
        choices, slot, passages = memory.choices, memory.choices_of, memory.passages
        if not choices:
            return False
        memory.offer([])
        if cues.NEITHER.search(self.text) or cues.NO.match(self.text):
            if slot:
                return False
            memory.rivals = []
            self._clarify()
            return True
        chosen = self._chosen(choices, slot)
        if chosen is None:
            return False
        if slot:
            memory.hold(slot, chosen)
            self._serve([memory.intent])
        elif passage := next((each for each in passages if each.title == chosen), None):
            self._found(passage)
        else:
            memory.rivals = [each for each in choices if each != chosen]
            self._serve([chosen])
        return True

    def _chosen(self, choices: list[str], slot: str) -> str | None:
        place = cues.ordinal(self.text, len(choices))
        if place is not None:
            return choices[place]
        if slot:
            named = [value for value in self._find(slot, asked=True).values if value in choices]
            return named[0] if named else None
        if cues.YES.match(self.text) and len(choices) == 1:
            return choices[0]
        titles = {name: self._title(name) for name in choices}
        named = [name for name, title in titles.items() if plain(title) == self.text]
        named = named or [name for name, title in titles.items() if _overlaps(self.text, title)]
        if len(named) == 1:
            return named[0]
        ranked = [name for name, share in self.reading.guess(self.text).ranked if name in choices and share >= CLOSE]
        return ranked[0] if ranked else None

    def _correct(self) -> bool:
        """Something said before was wrong, or the other one was meant."""
        memory = self.memory
        other = cues.OTHER.search(self.text)
        if not (other or cues.CORRECTION.match(self.text) or cues.ANYWHERE.search(self.text)):
            return False
        intent = self._intent(memory.intent)
        if not intent:
            return False
        for name in self._subjects():
            if self._corrected(self.project.intents[name]):
                self._serve([name])
                return True
        guess = self.reading.guess(self.text)
        if guess.sure and guess.ranked[0][0] != memory.intent and not other:
            return False
        if other:
            for slot in intent.slots:
                others = [value for value in memory.named.get(slot, []) if value != memory.slots.get(slot)]
                if others:
                    memory.hold(slot, others[-1])
                    self._serve([memory.intent])
                    return True
            if memory.rivals:
                chosen, memory.rivals = memory.rivals[0], [memory.intent, *memory.rivals[1:]]
                self._serve([chosen])
                return True
            held = [slot for slot in intent.slots if slot in memory.slots]
            if held:
                del memory.slots[held[0]]
                self._serve([memory.intent])
                return True
        return False

    def _corrected(self, intent: Intent) -> bool:
        """Take new values for slots of ``intent``; whether there were any."""
        memory, changed = self.memory, False
        for slot in intent.slots:
            values = self._find(slot, asked=slot == memory.asked or slot in memory.slots).values
            new = [value for value in values if value != memory.slots.get(slot)]
            if new:
                for value in values:
                    memory.name(slot, value)
                memory.hold(slot, new[-1])
                changed = True
        return changed

    def _fill(self) -> bool:
        """The answer to what was asked for."""
        memory = self.memory
        slot = memory.asked
        if not slot:
            return False
        found = self._find(slot, asked=True)
        if found.values:
            if len(found.values) > 1:
                self._choose_value(slot, found.values)
                return True
            memory.hold(slot, found.values[0])
            self._serve([memory.intent, *self._besides(found)])
            return True
        if cues.YES.match(self.text):
            self._ask(memory.intent, slot)
            return True
        if cues.NO.match(self.text):
            memory.asked = ""
            self._clarify()
            return True
        guess = self.reading.best(self.text)
        name = guess.ranked[0][0]
        if guess.sure and self._intent(name) and name != memory.intent:
            intent, subject = self.project.intents[name], memory.intent
            if intent.small_talk:
                self._small_talk(name)
                self._ask(subject, slot)
            else:
                self._serve([name, subject])
            return True
        if found.wrong:
            self._failed(lambda: self._ask(memory.intent, slot, phrases.not_right(found.wrong)))
            return True
        if cues.UNKNOWN.search(self.text):
            self._failed(lambda: self._ask(memory.intent, slot))
            return True
        if self._look_up():
            self._ask(memory.intent, slot)
            return True
        if self._go_on():
            return True
        self._failed(lambda: self._ask_again(memory.intent, slot))
        return True

    def _besides(self, found: Found) -> list[str]:
        """What else a message asks for that fills a slot, without the values that it is filled with."""
        rests = [self._without([found], part) for part in (self.text, *clauses(self.text))]
        pieces = [rest for rest in rests if not self._is_short(rest)]
        tops = [guess.ranked[0][0] for guess in self.reading.guessed(pieces) if guess.sure]
        names = [name for name in tops if name != self.memory.intent and not self.project.intents[name].small_talk]
        return list(dict.fromkeys(names))[: MOST_AT_ONCE - 1]

    def _go_on(self) -> bool:
        """ "And in blue?": the subject stays, a value changes."""
        memory = self.memory
        subjects = [name for name in self._subjects() if self.project.intents[name].slots]
        if not subjects:
            return False
        going_on = cues.GOING_ON.search(self.text) is not None or self._refers_back(subjects)
        for subject in subjects:
            slots = {slot: self._find(slot, asked=going_on) for slot in self.project.intents[subject].slots}
            found = {slot: each for slot, each in slots.items() if each.values}
            if found:
                break
        else:
            return going_on and self._ask_other(subjects[0])
        rest = self._without(found.values())
        if not self._is_short(rest, LONGER if going_on else 1):
            return False
        sure = False
        if not going_on or not self._is_short(rest):
            guess = self.reading.guess(rest if going_on else self.text)
            sure = guess.sure
            if sure and guess.ranked[0][0] != subject:
                return False
        if not (going_on or sure) and self._look_up():  # "can the backpack be washed?" names one of its own
            return True
        for slot, each in found.items():
            for value in each.values:
                memory.hold(slot, value)
        self._serve([subject])
        return True

    def _refers_back(self, subjects: Sequence[str]) -> bool:
        """Whether an unsure message says "it" or "这么" and may be about the subject at hand."""
        guess = self.reading.guess(self.text)
        may_be = any(name in subjects and share >= CLOSE for name, share in guess.ranked)
        return may_be and not guess.sure and cues.REFERS_BACK.search(self.text) is not None

    def _ask_other(self, subject: str) -> bool:
        """ "And in green?", which isn't there: the choices there are."""
        slots = self.project.intents[subject].slots
        choices = [slot for slot in slots if self.project.slots[slot].kind == "choice"]
        guess = self.reading.guess(self.text)
        if not choices or guess.sure or dict(guess.ranked).get(subject, 0.0) < CLOSE:
            return False
        changed = max(choices, key=lambda slot: len(self.memory.named.get(slot, ())))
        self._ask_again(subject, changed)
        return True

    def _understand(self) -> bool:
        """A question of its own."""
        names, guess = self.reading.meant(self.text), self.reading.best(self.text)
        if not self.reading.guess(self.text).sure and self._look_up(surer_than=guess.score):
            return True
        if names:
            self.memory.rivals = [name for name, _ in guess.ranked[1:3]] if len(names) == 1 else []
            self._serve(names)
            return True
        likely = self.reading.likely(self.text)
        if likely and (likely == self.memory.intent or self._lacking(likely) or self.project.intents[likely].choose):
            self._serve([likely], named=True)
        elif not self._look_up():
            few = close(self.reading.guess(self.text), self.project) or ([likely] if likely else [])
            passages = [] if likely or self.reading.is_foreign(self.text) else self._near()
            if passages:
                few = few[: OFFERED - 1]
            if few or passages:
                self._choose_intent(few, passages[: OFFERED - len(few)])
            else:
                self._clarify()
        return True

    # What is answered.

    def _lacking(self, name: str) -> list[str]:
        """What would still have to be asked for."""
        memory, slots = self.memory, self.project.intents[name].slots
        return [slot for slot in slots if slot not in memory.slots and not self._find(slot, asked=False).values]

    def _serve(self, names: list[str], named: bool = False) -> None:
        """Answer these intents; the first that lacks a slot asks for it, and the rest wait. What is asked says what it
        is about where that has to be ``named``.
        """
        memory = self.memory
        memory.asked, memory.failures = "", 0
        names = list(dict.fromkeys(name for name in [*names, *memory.waiting] if self._intent(name)))
        serious = [name for name in names if not self.project.intents[name].small_talk]
        memory.waiting, memory.subjects = [], serious or memory.subjects
        for place, name in enumerate(names):
            intent = self.project.intents[name]
            if intent.small_talk:
                self._small_talk(name)
                continue
            if intent.choose:
                self._choose_intent(intent.choose)
                return
            memory.intent = name
            several = self._take_slots(intent)
            if several:
                memory.waiting = names[place + 1 :]
                self._choose_value(several, self._find(several, asked=False).values)
                return
            lacking = [slot for slot in intent.slots if slot not in memory.slots]
            if lacking:
                memory.waiting = names[place + 1 :]
                wrong = self._find(lacking[0], asked=False).wrong
                before = phrases.about(self._title(name)) if named else ""
                self._ask(name, lacking[0], phrases.not_right(wrong) if wrong else before)
                return
            self._say(self._filled(intent), "answer", intent=name)
            if intent.hand_over:
                self.hand_over("intent")
                return

    def _take_slots(self, intent: Intent) -> str:
        """Take the message's values for the intent's slots; the slot that it has several values for, if any."""
        for slot in intent.slots:
            values = self._find(slot, asked=False).values
            for value in values:
                self.memory.name(slot, value)
            if len(values) > 1 and self.memory.slots.get(slot) not in values:
                return slot
            if len(values) == 1:
                self.memory.hold(slot, values[0])
        return ""

    def _small_talk(self, name: str) -> None:
        self._say(self._filled(self.project.intents[name]), "small_talk", intent=name)

    def _ask(self, name: str, slot: str, before: str = "") -> None:
        self.memory.intent, self.memory.asked = name, slot
        question = self.project.slots[slot].ask[self._language()]
        self._say(" ".join(part for part in (before, question) if part), "ask", intent=name, slot=slot)

    def _ask_again(self, name: str, slot: str) -> None:
        self._say(phrases.not_understood_shortly(), "clarify")
        self._ask(name, slot)

    def _choose_value(self, slot: str, values: Sequence[str]) -> None:
        for value in values:
            self.memory.name(slot, value)
        self.memory.offer(list(values), slot)
        self.memory.asked = slot
        named = [self.project.slots[slot].named(value, self._language()) for value in values]
        self._say(phrases.which(named), "choose", intent=self.memory.intent, slot=slot, choices=named)

    def _choose_intent(self, names: list[str], passages: Sequence[Offered] = ()) -> None:
        self.memory.offer(names, passages=passages)
        self.memory.asked = ""
        titles = [self._title(name) for name in self.memory.choices]
        self._say(phrases.which_intent(titles), "choose", choices=titles, intents=names)

    def _near(self) -> list[Offered]:
        """Passages in the customer's language that may answer, without being sure."""
        near = [hit for hit in self._looked_up() if hit.score >= MAY_ANSWER and hit.passage.title]
        found: dict[str, Offered] = {}
        for hit in near:
            if not (hit.clues and hit.clues.across):
                found.setdefault(hit.passage.title, _offered(hit))
        return list(found.values())

    def _look_up(self, surer_than: float = 0.0) -> bool:
        """Answer from the documents, with the source; whether they hold an answer, and are that sure of it."""
        hits = self._looked_up()
        if not hits or not hits[0].sure or hits[0].score <= surer_than:
            return False
        passage = _offered(hits[0])
        if self.bot.composer and (composed := self.bot.composer(self.text, self._language())):
            self.memory.failures = 0
            self._say(composed.shown(), "found", **composed.details(), score=passage.score)
        else:
            self._found(passage)
        return True

    def _looked_up(self) -> list[Hit]:
        """What the documents hold on the message, the best first."""
        if self._hits is None:
            self._hits = self.bot.index.search(self.text, MOST_HITS) if self.bot.index else []
        return self._hits

    def _found(self, passage: Offered) -> None:
        self.memory.failures = 0
        details = passage.model_dump(exclude={"text"})
        self._say(phrases.from_documents(passage.text, passage.source), "found", **details)

    def _clarify(self) -> None:
        self._failed(lambda: self._say(phrases.not_understood(), "clarify"))

    def _failed(self, ask: Callable[[], None]) -> None:
        """Not understood: ``ask`` once more, or hand over after too many times in a row."""
        self.memory.failures += 1
        if self.memory.failures >= self.project.settings.failures:
            self.hand_over("failures")
        else:
            ask()

    def hand_over(self, why: str) -> None:
        """A person takes over, with a note of what is known."""
        memory = self.memory
        memory.status, memory.asked, memory.waiting = "waiting", "", []
        memory.offer([])
        opens = when_open(self.project.settings.hours, self.bot.clock())
        self._say(phrases.handed_over(opens), "hand_over", why=why)
        guess = self.reading.guess(self.text) if says_anything(self.text) else None
        subject = memory.intent or (guess.ranked[0][0] if guess and guess.known >= KNOWN else "")
        note = phrases.summary(why, self._title(subject) if subject else "", memory.slots, memory.priority)
        ranked = [[name, round(share, 3)] for name, share in guess.ranked[:OFFERED]] if guess else []
        self.said.append(Said(NOTE, note, None, {"why": why, "guess": ranked, "slots": memory.slots}))

    def _say(self, text: str, act: str, **details: Any) -> None:
        if act in ANSWERS:
            self.memory.given += 1
        self.said.append(Said(BOT, text, act, {"language": self._language(), **details}))

    # Small things.

    def _filled(self, intent: Intent) -> str:
        language = self._language()
        variants = intent.answer.get(language) or next(iter(intent.answer.values()))
        slots = self.project.slots
        values = {
            name: slots[name].named(value, language) for name, value in self.memory.slots.items() if name in slots
        }
        settings = self.project.settings
        return variants[self.memory.given % len(variants)].format(**values, firm=settings.name.get(language, ""))

    def _find(self, slot: str, asked: bool) -> Found:
        if (slot, asked) not in self.found:
            self.found[slot, asked] = find(self.text, self.project.slots[slot], self.bot.clock(), asked)
        return self.found[slot, asked]

    def _without(self, found: Iterable[Found], text: str = "") -> str:
        """The message, or ``text`` of it, but for these values."""
        rest = text or self.text
        for start, end in sorted((span for each in found for span in each.spans), reverse=True):
            rest = rest.replace(self.text[start:end], " ")
        return rest

    def _is_short(self, rest: str, times: int = 1) -> bool:
        """Whether so little is left of a message that it only goes on with the one before."""
        words, han = re.findall(r"[A-Za-z']+", rest), re.findall("[\u3400-\u9fff]", rest)
        return len(words) <= times * SHORT_LATIN and len(han) <= times * SHORT_HAN

    def _subjects(self) -> list[str]:
        """What is being talked of, the last first, and what the message before asked for besides."""
        named = dict.fromkeys([self.memory.intent, *self.memory.subjects])
        return [name for name in named if self._intent(name)]

    def _intent(self, name: str) -> Intent | None:
        return self.project.intents.get(name)

    def _title(self, name: str) -> str:
        """Of an intent; a passage's heading is its own."""
        if name not in self.project.intents:
            return name
        title = self.project.intents[name].title
        return title.get(self._language()) or next(iter(title.values()))

    def _language(self) -> Any:
        languages = self.project.settings.languages
        return self.memory.language if self.memory.language in languages else languages[0]


def _offered(hit: Hit) -> Offered:
    passage = hit.passage
    return Offered(
        title=passage.title, text=passage.text, source=passage.source, place=passage.place, score=round(hit.score, 4)
    )


def _overlaps(text: str, title: str) -> bool:
    """Whether a short answer names a choice by some of its words."""
    from rapidfuzz import fuzz

    return fuzz.partial_ratio(text.casefold(), title.casefold()) >= 80 and len(text) <= 3 * len(title)
