"""Find a base by its name and say what it is."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
import struct
from pathlib import Path
from typing import Any

from weitiao.errors import BaseModelError, require
from weitiao.files import sha256_of
from weitiao.languages import say
from weitiao.pretrained.packaged import IN_ONE_WORD, PACKAGED
from weitiao.types import Base

DECODERS = ("gemma3_text", "llama", "qwen2", "qwen3")
FAMILIES = (
    "bert",
    "roberta",
    "xlm-roberta",
    "distilbert",
    "ernie",
    "deberta",
    "deberta-v2",
    "modernbert",
    "electra",
    "camembert",
    *DECODERS,
)
POOLING = "1_Pooling/config.json"
HUB = "hub:"
WANTED_FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "README.md"]
TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "sentencepiece.bpe.model",
    "spm.model",
    "spiece.model",
    "tokenizer.model",
)
UNLIMITED = 10**6  # some tokenizers state 10**30 where they know of no limit


def resolve(name: str) -> Base:
    """The base called ``name``: packaged, a local folder, or ``hub:org/name``.

    Raises BaseModelError for a name nobody knows, a damaged folder or an unreachable hub, and
    MissingExtraError for a packaged base whose package isn't installed.
    """
    if name in PACKAGED:
        known = PACKAGED[name]
        base = describe(known.folder(), name)
        return dataclasses.replace(
            base,
            languages=known.languages,
            licence=known.licence,
            pooling=known.pooling,
            prefix=known.prefix,
            suffix=known.suffix,
            source=f"pip:{known.package}",
        )
    if name.startswith(HUB):
        return dataclasses.replace(describe(_from_hub(name.removeprefix(HUB)), name), source=name)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return describe(folder, folder.resolve().name)
    near = difflib.get_close_matches(name, PACKAGED, n=1, cutoff=0.5)
    hint = say(' Did you mean "{name}"?', name=near[0]) if near else ""
    raise BaseModelError(
        say(
            'No base is called "{name}".{hint} Expected one of {packaged}, a folder with config.json '
            "and model.safetensors, or hub:org/name.",
            name=name,
            hint=hint,
            packaged=", ".join(PACKAGED),
        )
    )


def _from_hub(repository: str) -> Path:
    hub = require("huggingface_hub", "tune")
    try:
        return Path(hub.snapshot_download(repository, allow_patterns=WANTED_FILES))
    except Exception as error:  # noqa: BLE001  the hub client raises many kinds; each means that the folder isn't here
        raise BaseModelError(
            say(
                "{name} can't be had from the hub ({error}). Without a hub: use a packaged base ({packaged}), "
                "or copy the model's folder here from a machine that has it and name that folder: --base ./folder. "
                "A mirror is set with HF_ENDPOINT=https://…",
                name=HUB + repository,
                error=str(error).splitlines()[0] if str(error) else type(error).__name__,
                packaged=", ".join(PACKAGED),
            )
        ) from None


def describe(folder: Path, name: str) -> Base:
    """What the Hugging Face folder ``folder`` holds, read from its files without loading the weights."""
    config = _config(folder)
    family = config["model_type"]
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise BaseModelError(
            say(
                "{folder} has no *.safetensors weights. Pickled weights (pytorch_model.bin) are never loaded: "
                "convert them where they are trusted with model.save_pretrained(folder, safe_serialization=True).",
                folder=folder,
            )
        )
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):  # transformers would make up an empty one
        raise BaseModelError(
            say("{folder} has no tokenizer (tokenizer.json). Copy it from where the model came from.", folder=folder)
        )
    shapes = [shape for path in weights for shape in _tensor_shapes(path)]
    card = _model_card(folder)
    digests = "".join(sha256_of(path) for path in weights)
    return Base(
        name=name,
        path=str(folder),
        family=family,
        parameters=sum(math.prod(shape) for shape in shapes),
        hidden_size=_size(folder, config, "hidden_size", "dim"),
        layers=_size(folder, config, "num_hidden_layers", "n_layers"),
        vocabulary=_size(folder, config, "vocab_size"),
        max_length=_max_length(folder, config),
        languages=card["languages"],
        licence=card["licence"],
        pooling=_pooling(folder, family),
        prefix="",
        suffix=IN_ONE_WORD if family in DECODERS and not (folder / POOLING).is_file() else "",
        bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        sha256=digests if len(weights) == 1 else hashlib.sha256(digests.encode()).hexdigest(),
        source=str(folder),
    )


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise BaseModelError(say("{folder} is not a pretrained model: it has no config.json.", folder=folder))
    config = _read_json(path)
    if config.get("model_type") not in FAMILIES:
        raise BaseModelError(
            say(
                'The model in {folder} is of the family "{family}". Families that can be tuned: {families}.',
                folder=folder,
                family=config.get("model_type"),
                families=", ".join(FAMILIES),
            )
        )
    return config


def _size(folder: Path, config: dict[str, Any], *names: str) -> int:
    """The size that ``config`` states under the first of ``names`` that it has (DistilBERT has its own)."""
    found = next((config[name] for name in names if name in config), None)
    if not isinstance(found, int) or found < 1:
        raise BaseModelError(
            say(
                "{file}: expected a whole number of 1 or more as {name}, got {given}.",
                file=folder / "config.json",
                name=names[0],
                given=found,
            )
        )
    return found


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BaseModelError(say("{file} can't be read as JSON: {error}", file=path, error=error)) from None
    if not isinstance(found, dict):
        raise BaseModelError(say("{file} can't be read as JSON: {error}", file=path, error="not an object"))
    return found


def _tensor_shapes(path: Path) -> list[list[int]]:
    """The shapes in a safetensors header: eight bytes of length, then JSON."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > 100_000_000:
                raise ValueError(f"header of {length} bytes")
            header = json.loads(file.read(length))
            payload = path.stat().st_size - 8 - length
        tensors = [entry for name, entry in header.items() if name != "__metadata__"]
        if any(entry["data_offsets"][1] > payload for entry in tensors):
            raise ValueError("the file is shorter than its header says")
        return [entry["shape"] for entry in tensors]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise BaseModelError(say("{file} is damaged: {error}. Copy it again.", file=path, error=error)) from None


def _max_length(folder: Path, config: dict[str, Any]) -> int:
    path = folder / "tokenizer_config.json"
    stated = _read_json(path).get("model_max_length") if path.is_file() else None
    positions = int(config.get("max_position_embeddings", 512))
    # RoBERTa's positions begin after the padding index
    positions -= 2 if config["model_type"] in ("roberta", "xlm-roberta", "camembert") else 0
    return min(positions, int(stated)) if stated and stated < UNLIMITED else positions


def _pooling(folder: Path, family: str) -> str:
    """As sentence-transformers wrote it; where nothing is said the mean, but of decoders the last."""
    if not (folder / POOLING).is_file():
        return "last" if family in DECODERS else "mean"
    stated = _read_json(folder / POOLING)
    names = {"pooling_mode_cls_token": "cls", "pooling_mode_lasttoken": "last"}
    return next((pooling for name, pooling in names.items() if stated.get(name)), "mean")


def _model_card(folder: Path) -> dict[str, Any]:
    """Languages and licence from the front matter of the folder's README.md."""
    path = folder / "README.md"
    languages: list[str] = []
    licence = "unknown"
    if path.is_file():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        key = ""
        for line in lines[1:] if lines[:1] == ["---"] else []:
            if line == "---":
                break
            if line.startswith("- ") and key == "language":
                languages.append(line[2:].strip())
            elif ":" in line:
                key, value = (part.strip() for part in line.split(":", 1))
                if key == "license" and value:
                    licence = value
                elif key == "language" and value:
                    languages = [part.strip(" []\"'") for part in value.split(",")]
    return {"languages": tuple(languages), "licence": licence}
