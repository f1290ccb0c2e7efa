"""Cosines of any base on the scale of e5-small, for which the constants of `ranking` were fitted.

Bases differ in what cosine two texts have that have nothing to do with each other: about 0.75 with e5, about 0 with
MiniLM. A few questions and their answers, written for this, say where a base puts both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

PAIRS = (
    ("How long does the battery last?", "A full charge is enough for about twelve hours of music."),
    ("Which documents do I need to open an account?", "Bring your passport and a proof of address to the branch."),
    ("When was the bridge built?", "The old stone bridge over the river was completed in 1873."),
    ("Can children swim here?", "Up to the age of ten, children may use the pool only with an adult."),
    (
        "Why do leaves turn red in autumn?",
        "As days grow shorter, leaves lose their green pigment and other colours show.",
    ),
    ("Who pays for the repair?", "Within the warranty the maker bears the cost of mending a faulty part."),
    ("电池能用多久？", "充满一次电，大约可以播放十二小时的音乐。"),
    ("开户需要带什么材料？", "请携带护照和住址证明到网点办理。"),
    ("这座桥是什么时候建成的？", "横跨河面的旧石桥于一八七三年完工。"),
    ("小孩可以游泳吗？", "十岁以下儿童须有成人陪同方可使用泳池。"),
    ("秋天树叶为什么变红？", "白昼变短，叶子失去绿色色素，其他颜色便显现出来。"),
    ("维修费用由谁承担？", "保修期内，故障零件的维修费用由厂家承担。"),
)
HALF = len(PAIRS) // 2  # English, then Chinese


@dataclass(frozen=True, slots=True)
class Scale:
    """What cosine a base gives to texts that have nothing to do with each other, and to a question with its answer."""

    apart: float
    together: float

    def __call__(self, cosines: Any) -> Any:
        """``cosines`` as e5-small would give them."""
        share = (cosines - self.apart) / max(0.02, self.together - self.apart)
        return E5_SMALL.apart + share * (E5_SMALL.together - E5_SMALL.apart)


E5_SMALL = Scale(0.743, 0.839)


def scale_of(encode: Callable[..., Any]) -> Scale:
    """That of an encoder; the language that it knows better counts."""
    asked, told = encode([pair[0] for pair in PAIRS], "query"), encode([pair[1] for pair in PAIRS], "passage")
    found = []
    for part in (slice(0, HALF), slice(HALF, None)):
        cosines = asked[part] @ told[part].T
        own = np.eye(HALF, dtype=bool)
        found.append(Scale(float(cosines[~own].mean()), float(cosines[own].mean())))
    return max(found, key=lambda each: each.together - each.apart)
