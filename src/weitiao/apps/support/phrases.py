"""What the bot says of itself, in the language in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from weitiao.languages import say


def not_understood() -> str:
    """Nothing fits."""
    return say("I'm not sure that I understood you. Could you say it in other words, or with more detail?")


def not_understood_shortly() -> str:
    """Said before a question is asked again."""
    return say("I didn't understand that.")


def about(title: str) -> str:
    """Said before a question, of what it is taken to be about."""
    return say("If it is about “{title}”:", title=title)


def not_right(value: str) -> str:
    """Said before a question is asked again, of a value that is none."""
    return say("“{value}” doesn't look right.", value=value)


def which(values: Sequence[str]) -> str:
    """Several values were said where one is needed."""
    return say("Which one do you mean?") + "\n" + _numbered(values)


def which_intent(titles: Sequence[str]) -> str:
    """A message that can mean several things, or only likely means one."""
    if len(titles) == 1:
        return say("Do you mean “{title}”? Answer yes, or say it in other words.", title=titles[0])
    return (
        say("What is it about?")
        + "\n"
        + _numbered(titles)
        + "\n"
        + say("Answer with the number, or say it in other words.")
    )


def from_documents(text: str, source: str) -> str:
    """A passage, with where it stands."""
    return f"{text}\n" + say("(Source: {source})", source=source)


def handed_over(opens: datetime | None) -> str:
    """A person takes over; ``opens`` is when people are there again, None where they are there now."""
    if opens is None:
        return say("I'm handing you over to a colleague, who can read everything above. One moment, please.")
    return say(
        "I'm handing you over to a colleague, who can read everything above. They are there again on {when} and "
        "will answer you here.",
        when=f"{opens:%Y-%m-%d %H:%M}",
    )


def summary(why: str, subject: str, slots: Mapping[str, str], priority: str) -> str:
    """What a colleague reads first."""
    reasons = {
        "risk": say("risk words"),
        "wish": say("the customer wants a person"),
        "failures": say("not understood several times"),
        "intent": say("this subject goes to people"),
    }
    parts = [say("Handed over: {why}.", why=reasons[why])]
    if subject:
        parts.append(say("Subject: {subject}.", subject=subject))
    if slots:
        parts.append(say("Known: {slots}.", slots=", ".join(f"{name} {value}" for name, value in slots.items())))
    if priority != "normal":
        parts.append(say("Mood: angry.") if priority == "high" else say("Urgent."))
    return " ".join(parts)


def _numbered(things: Sequence[str]) -> str:
    return "\n".join(f"{place}. {thing}" for place, thing in enumerate(things, 1))
