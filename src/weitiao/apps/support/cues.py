"""Words by which a message says what it does to the one before: corrects it, chooses, goes on with it."""

from __future__ import annotations

import re

CORRECTION = re.compile(
    r"^(?:(?:oh|ah|hm+|ok(?:ay)?|well)[,. ]+)?(?:hang on|hold on|no+\b|nope|nah|not (?:that|this|the)|sorry|(?:wh)?oops\w*|wait|actually|my bad|silly me|scratch that|on second thoughts?|correction|i mean|i meant|rather|wrong|my mistake"
    r"|不对|不是|错了|搞错|打错|写错|说错|等等|等一下|我是说|我说的是|更正|应该是|纠正|哦不|啊不|哎[呀哟]|弄错|报错|看错|口误|手滑|抱歉|不好意思)",
    re.IGNORECASE,
)
ANYWHERE = re.compile(
    r"\b(?:i meant|my mistake|i mistyped|that'?s wrong|wrong (?:order|number|one)|instead of|should be|make (?:it|that)|change (?:it|that) to|correct(?:ion| number)|would be (?:better|easier)|better for (?:me|us)|suits? (?:me|us) better)\b"
    r"|打错|写错|说错|搞错|弄错|报错|看错|输错|应该是|我说的是|更正|改成|改到|换成|换到",
    re.IGNORECASE,
)
OTHER = re.compile(
    r"\b(?:the )?other (?:one|order|product|colou?r|number|option|choice|way|thing)\b|\bnot (?:that|this) one\b|\bthe (?:first|second|former|latter|previous) one\b"
    r"|另一个|另外一个|另外那|另一|别的那|前一个|前面那|刚才那个|那个不是|不是这个|不是那个",
    re.IGNORECASE,
)
GOING_ON = re.compile(
    r"^(?:(?:hm+|ok(?:ay)?|oh|ah|so|well|great|fine)[,. ]+)*(?:and|what about|how about|what if|or|same|also|then|in|for|ok(?:ay)?,? (?:and|what about))\b|^(?:那|那么|还有|换成|再|要是|如果是|换|同样)"
    r"|(?:呢|咧|行吗|可以吗|有吗|有没有)[?？]?$",
    re.IGNORECASE,
)
QUESTION = re.compile(
    r"[?？]|[吗呢]|多少|怎么|什么|哪|请|麻烦|\b(?:could|can|would|please|i want|i need|i'?d like)\b"
    r"|(?:^(?:and |but |so )?|[,;:] ?|\b(?:know|tell me|say|see|check|ask|wonder(?:ing)?) )(?:where|when|how|what|who|which|why)\b"
    r"|^(?:and |but )?(?:do|does|did|is|are|may|will|shall)\b",
    re.IGNORECASE,
)
# what stands between "and"s or commas and could be said alone
OWN_CLAUSE = re.compile(
    r"^(?:(?:but|so|then|please|if|when|while|because) )*(?:i|we|you|he|she|it|they|there|this|that|these|those|my|our|your|his|her|their|the|an?"
    r"|is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must"
    r"|(?:what|where|when|how|who)'?s?|why|whose|which|tell|let me|give me|check|explain)\b",
    re.IGNORECASE,
)
REFERS_BACK = re.compile(
    r"\b(?:it|them|those|that one|this one|the same|as well|too)\b|它|这款|那款|这么|这样|同样|一样|也(?:能|可以|行|有|是|要)",
    re.IGNORECASE,
)
UNDECIDED = re.compile(
    r"\b(?:torn between|(?:can'?t|cannot|can not|haven'?t|not) decided?|undecided|in two minds|not sure (?:whether|if|which)|don'?t know (?:whether|if|which)|either\b.+\bor|whether\b.+\bor)\b"
    r"|纠结|拿不定|犹豫|没想好|不确定|还是.*(?:好|划算|合适|方便)|要么.+要么|是.+还是",
    re.IGNORECASE,
)
GREETING = re.compile(
    r"^(?:(?:hi|hiya|hello|hey|good (?:morning|afternoon|evening|day))(?: there| all| again)?\b|[你您]好[啊呀]?|哈[喽罗啰]|嗨|在吗|亲(?=[,!.~ ]))[\s,.!?~…]*",
    re.IGNORECASE,
)
NEITHER = re.compile(
    r"\b(?:neither|none(?: of (?:these|those|them))?|not (?:any|either)|something else|no,? (?:neither|none))\b"
    r"|都不是|都不对|不是这些|没有一个|两个都不|哪个都不|都不|其他问题|别的问题",
    re.IGNORECASE,
)
YES = re.compile(
    r"^(?:yes|yep|yeah|yup|sure|right|correct|exactly|ok(?:ay)?|please do|对|对的|是|是的|嗯+|好的?|没错|可以)[\s!！。.,，]*$",
    re.IGNORECASE,
)
NO = re.compile(r"^(?:no+|nope|nah|not really|不是|不对|不|没有|否)[\s!！。.,，]*$", re.IGNORECASE)
UNKNOWN = re.compile(
    r"\b(?:don'?t (?:know|have|remember)|do not (?:know|have|remember)|can'?t find|no idea|not sure|lost it|forgot(?:ten)?|where (?:do|can) i find)\b"
    r"|不知道|不记得|忘了|忘记|找不到|没有订单号|不清楚|在哪(?:里|儿)?(?:看|找)",
    re.IGNORECASE,
)
_ORDINALS = (
    re.compile(r"^(?:the )?(?:first|former|1st|1|one|a|一|甲)(?: one)?\W*$|第一|头一[个种条]|前者|(?:前|上)[面边头](?:的|那|这|一)|(?<![以之])前那?一?[个种条]|(?<!\d)1[.)、]", re.IGNORECASE),
    re.compile(r"^(?:the )?(?:second|latter|2nd|2|two|b|二|两)(?: one)?\W*$|第二|后者|(?:后|下)[面边头](?:的|那|这|一)|(?<![以之])后那?一?[个种条]|(?<!\d)2[.)、]", re.IGNORECASE),
    re.compile(r"^(?:the )?(?:third|3rd|3|three|c|三)(?: one)?\W*$|第三|(?<!\d)3[.)、]", re.IGNORECASE),
)  # fmt: skip
_SPOKEN_ORDINALS = (
    re.compile(r"\b(?:the )?(?:first|former|1st|number (?:1|one)|option (?:1|one))\b", re.IGNORECASE),
    re.compile(r"\b(?:the )?(?:second|latter|2nd|number (?:2|two)|option (?:2|two))\b", re.IGNORECASE),
    re.compile(r"\b(?:the )?(?:third|3rd|number (?:3|three)|option (?:3|three))\b", re.IGNORECASE),
)
_LAST = re.compile(r"\b(?:the )?last(?: one)?\b|最后", re.IGNORECASE)


def ordinal(text: str, count: int) -> int | None:
    """Which of ``count`` things ``text`` names by its place, from 0; None where it names none."""
    for table in (_ORDINALS, _SPOKEN_ORDINALS):
        for place, pattern in enumerate(table[:count]):
            if pattern.search(text):
                return place
    return count - 1 if _LAST.search(text) else None
