"""Why a bundle answers as it does: which words of a text speak for an answer, and whether they really carry it."""

from weitiao.runtime.reasons.faithful import Faithfulness
from weitiao.runtime.reasons.reason import METHODS, Reason, choose, reason, span_of, with_reasons

__all__ = ["METHODS", "Faithfulness", "Reason", "choose", "reason", "span_of", "with_reasons"]
