"""How to tune: one settings object, with a default for everything."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

METHODS: dict[str, str] = {
    "full": "weitiao.tuning.methods.full",
    "head": "weitiao.tuning.methods.head",
    "cloze": "weitiao.tuning.methods.cloze",
    "lora": "weitiao.tuning.methods.lora",
    "ia3": "weitiao.tuning.methods.ia3",
    "bitfit": "weitiao.tuning.methods.bitfit",
    "layers": "weitiao.tuning.methods.layers",
    "adapter": "weitiao.tuning.methods.adapter",
    "adalora": "weitiao.tuning.methods.adalora",
    "prefix": "weitiao.tuning.methods.prefix",
    "prompt": "weitiao.tuning.methods.prompt",
}
SOLVED = ("head", "cloze")  # in one fit on the frozen base's features, without the training loop
OBJECTIVES: dict[str, str] = {  # settings of these names are their weights
    "rdrop": "weitiao.tuning.objectives.rdrop",
    "supcon": "weitiao.tuning.objectives.supcon",
    "fgm": "weitiao.tuning.objectives.fgm",
    "pgd": "weitiao.tuning.objectives.pgd",
    "freelb": "weitiao.tuning.objectives.freelb",
    "pairs": "weitiao.tuning.objectives.pairs",
    "consistency": "weitiao.tuning.objectives.consistency",
}

# Settings with an option of their own on the command line; the others are given by --set.
OPTIONS = ("task", "base", "method", "epochs", "learning_rate", "batch_size", "max_length", "seed")


class Recipe(BaseModel):
    """Every choice that tuning makes. ``None`` means: chosen for this data, base, method and machine before it starts.

    Shares are fractions of the rows; lengths count tokens; a text longer than ``max_length`` is read in windows that
    share ``stride`` tokens, and is cut where that is 0; ``hierarchy`` separates the levels of a label ("/"); ``warmup``
    is the fraction of the steps in which the learning rate rises; ``patience`` counts epochs without a better dev score
    before training stops; without one all epochs run, as foretold, and the best is kept. ``split_seed`` decides which
    rows are held out, ``seed`` everything else, so that runs of several seeds are measured on the same rows.
    With a table of texts with probabilities these are weighed so that their mean is the training labels' share, if
    ``soft_align``, then raised to the power ``soft_power`` (2 sharpens as a temperature of 0.5 does), and the labelled
    rows are repeated until they are ``labelled_share`` of all.
    ``average`` is the share of the steps, the last ones, over which the weights are averaged.
    ``focal`` is a power: an answer's loss counts by one minus its probability, raised to it.
    ``head_first`` solves for the head on the frozen base before anything is tuned.
    ``rdrop``, ``supcon``, ``fgm``, ``pgd``, ``freelb``, ``pairs`` and ``consistency`` weigh objectives that are added
    to the task's loss.
    Each layer learns at ``layer_decay`` times the rate of the one above it; ``top_layers`` is how many learn with the
    method "layers", ``virtual_tokens`` how many places stand before a text with "prefix" and "prompt".
    ``checkpoint_every`` counts seconds; ``trackers`` are shown the run, None means TensorBoard where it is installed.
    Neither changes the result.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: Literal["classify", "multilabel", "pair", "similarity", "tag", "qa"] = "classify"
    base: str = "e5-small"
    vocabulary: Literal["whole", "trimmed"] = "whole"
    method: Literal[
        "full", "head", "cloze", "lora", "ia3", "bitfit", "layers", "adapter", "adalora", "prefix", "prompt"
    ] = "full"
    epochs: int | None = Field(default=None, ge=1, le=1000)
    learning_rate: float | None = Field(default=None, gt=0, le=1)
    head_learning_rate: float | None = Field(default=None, gt=0, le=1)
    batch_size: int | None = Field(default=None, ge=1, le=4096)
    accumulation: int = Field(default=1, ge=1, le=1024)
    schedule: Literal["linear", "cosine"] = "linear"
    warmup: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0, le=1)
    average: float = Field(default=0.0, ge=0, lt=1)
    clip: float = Field(default=1.0, gt=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    class_weights: Literal["none", "balanced", "effective"] = "none"
    focal: float = Field(default=0.0, ge=0, le=10)
    patience: int | None = Field(default=None, ge=1)
    max_length: int | None = Field(default=None, ge=4, le=8192)
    stride: int | None = Field(default=None, ge=0, le=4096)
    hierarchy: str = Field(default="", max_length=8)
    precision: Literal["bf16", "fp32"] | None = None
    dev_share: float | None = Field(default=None, ge=0, lt=1)
    test_share: float = Field(default=0.2, ge=0, lt=1)
    split_seed: int = Field(default=0, ge=0, lt=2**32)
    seed: int = Field(default=0, ge=0, lt=2**32)
    trackers: list[Literal["tensorboard", "wandb", "mlflow", "swanlab", "trackio"]] | None = None
    rdrop: float = Field(default=0.0, ge=0, le=100)
    supcon: float = Field(default=0.0, ge=0, le=100)
    fgm: float = Field(default=0.0, ge=0, le=100)
    pgd: float = Field(default=0.0, ge=0, le=100)
    freelb: float = Field(default=0.0, ge=0, le=100)
    pairs: float = Field(default=0.0, ge=0, le=100)
    consistency: float = Field(default=0.0, ge=0, le=100)
    soft_power: float = Field(default=1.0, gt=0, le=100)
    soft_align: bool = False
    labelled_share: float = Field(default=0.1, ge=0, lt=1)
    head_first: bool = False
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    top_layers: int = Field(default=4, ge=1, le=1000)
    lora_rank: int = Field(default=16, ge=1, le=1024)
    lora_alpha: float = Field(default=32.0, gt=0, allow_inf_nan=False)
    lora_dropout: float = Field(default=0.05, ge=0, lt=1)
    adapter_width: int = Field(default=64, ge=1, le=4096)
    virtual_tokens: int = Field(default=20, ge=1, le=512)
    checkpoint_every: float = Field(default=60.0, ge=0, allow_inf_nan=False)
