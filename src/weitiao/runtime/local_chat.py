"""A small language model on this machine's processor: a GGUF file, read by OpenVINO GenAI."""

from __future__ import annotations

import threading
import time
from os import PathLike
from pathlib import Path
from typing import Any

from weitiao.errors import BaseModelError, require
from weitiao.languages import say
from weitiao.runtime.chat import Messages, Reply


class LocalChat:
    """The model in the GGUF ``file`` (of the Llama, SmolLM and Qwen families), with the shape of `Chat`.

    Answers one question after the other. Raises MissingExtraError, and BaseModelError for a file that can't be read.
    """

    def __init__(self, file: str | PathLike[str]) -> None:
        genai: Any = require("openvino_genai", "text")
        if not Path(file).is_file():
            raise BaseModelError(say("There is no model file {file}.", file=file))
        try:
            self._pipeline = genai.LLMPipeline(str(file), "CPU")
        except RuntimeError as error:
            why = str(error).strip().rpartition("\n")[2]
            raise BaseModelError(say("{file} can't be read as GGUF: {why}", file=file, why=why)) from None
        self._genai = genai
        self._turn = threading.Lock()

    def ask(self, messages: Messages, *, most: int = 400, seconds: float = 60.0) -> Reply:
        """What the model answers, greedily, in at most ``most`` tokens; cut off after ``seconds``."""
        genai, end = self._genai, time.monotonic() + seconds
        status = genai.StreamingStatus
        config = genai.GenerationConfig()
        config.max_new_tokens, config.do_sample = most, False
        history = genai.ChatHistory([dict(each) for each in messages])
        with self._turn:
            found = self._pipeline.generate(
                history, config, lambda _: status.STOP if time.monotonic() > end else status.RUNNING
            )
        figures = found.perf_metrics
        read, written = figures.get_num_input_tokens(), figures.get_num_generated_tokens()
        return Reply(found.texts[0], written < most and time.monotonic() <= end, read, written)
