"""The part ``[compose]`` of support.toml: which language model composes, and within what bounds."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from weitiao.alerts.settings import is_web_address
from weitiao.languages import say

LOCAL = "smollm2"


class Compose(BaseModel):
    """``model`` at ``endpoint``, which speaks OpenAI's chat completions; without an endpoint the packaged "smollm2" or
    a GGUF file in the project's folder.

    ``key_env`` names the environment variable with the endpoint's key. ``seconds`` is the longest that a turn waits,
    ``at_once`` how many do; ``mask`` hides personal data in what goes to an endpoint.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(min_length=1)
    endpoint: str = ""
    key_env: str = ""
    seconds: float = Field(default=8.0, gt=0, le=60)
    at_once: int = Field(default=4, ge=1, le=64)
    mask: bool = True

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.endpoint and not is_web_address(self.endpoint):
            raise ValueError(say("an address such as https://host/path"))
        if self.key_env and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.key_env):
            raise ValueError(say("the name of an environment variable: letters, digits and _"))
        if not self.endpoint and self.model != LOCAL and not self.model.endswith(".gguf"):
            raise ValueError(say('without an endpoint the model is "smollm2" or a file FILE.gguf'))
        if self.key_env and not self.endpoint:
            raise ValueError(say("a key belongs to an endpoint"))
        return self

    def missing(self) -> Iterator[str]:
        """What is wrong with the key."""
        if self.key_env and not os.environ.get(self.key_env, "").strip():
            yield say("the environment variable {variable} isn't set", variable=self.key_env)
