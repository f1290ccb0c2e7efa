"""What is said to a language model and not to a customer, and what a plain answer has no use for."""

from __future__ import annotations

import re
import unicodedata

MARKUP = re.compile(
    r"<[a-zA-Z/!|]|\]\(|```|!\[|&#|\{\{|javascript:|[\u0000-\u0008\u000b-\u001f\u202a-\u202e\u2060-\u2069\u200b-\u200f]"
)
_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.]{0,40}\b(?:instructions?|prompts?|rules?|above|previous|prior|everything)\b"
    r"|\bsystem prompt\b|\b(?:you are|act as|pretend to be|roleplay as?)\b[^.]{0,30}\b(?:ai|assistant|chatbot|language model|dan)\b"
    r"|\b(?:as an?|large) (?:ai|language model)\b|(?:^|\n)\s*(?:system|assistant|user)\s*[:：]|<\|?(?:im_start|im_end|system|endoftext)"
    r"|\[/?INST\]|\bnew instructions?\b|\b(?:tell|promise|assure) (?:the |every |all )?(?:customers?|users?)\b"
    r"|\b(?:assistants?|chatbots?|bots?|language models?|ai) (?:must|should|shall|has to|have to)\b"
    r"|(?:忽略|无视|忘记|忘掉|绕过|不要理会|跳过)[^。]{0,20}(?:指令|指示|提示词?|规则|要求|内容|设定)|系统提示|提示词"
    r"|(?:你是|扮演|假装|充当)[^。]{0,12}(?:助手|机器人|模型|AI)|作为(?:一个)?(?:AI|人工智能|语言模型)"
    r"|(?:向|对|给|告诉|答应)(?:所有|每个|每位|这位|该)?(?:客户|顾客|用户)(?:承诺|保证|说)|新的?指令"
    r"|(?:助手|机器人|模型|客服系统)(?:必须|应当|应该|务必)",
    re.IGNORECASE,
)


def orders(text: str) -> bool:
    """Whether ``text`` holds what is said to a language model and not to a customer."""
    return _ORDERS.search(unicodedata.normalize("NFKC", text)) is not None
