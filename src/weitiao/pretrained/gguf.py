"""A decoder, rebuilt from the GGUF file that packages carry in parts.

The library ``gguf`` reads the file; transformers makes configuration, weights and tokenizer of it. The packages are
never imported: their data files are put end to end.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from weitiao.errors import BaseModelError, require
from weitiao.languages import say

FILE = "model.gguf"


def rebuild(parts: Sequence[Path], folder: Path) -> None:
    """Write a Hugging Face folder of the GGUF file in ``parts`` into ``folder``: config, bfloat16 safetensors,
    tokenizer. Raises BaseModelError when it can't be read, MissingExtraError without the libraries.
    """
    require("torch", "tune")
    require("transformers", "tune")
    require("gguf", "gemma")
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModel, AutoTokenizer

    from weitiao.pretrained.network import quiet_transformers

    quiet_transformers()
    whole = folder / FILE
    with whole.open("wb") as out:
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, out)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=FILE)
        model = AutoModel.from_pretrained(folder, gguf_file=FILE, dtype=torch.bfloat16)
    except Exception as error:
        raise BaseModelError(
            say("{file} can't be read as GGUF: {why}", file=parts[0].parent, why=str(error).partition("\n")[0])
        ) from error
    whole.unlink()
    tokenizer.save_pretrained(folder)
    del model.config.quantization_config
    model.config.save_pretrained(folder)
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
