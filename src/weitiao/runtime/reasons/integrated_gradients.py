"""Integrated gradients over the word embeddings (Sundararajan et al. 2017); for bundles that PyTorch runs.

The straight way goes from the text with every unit replaced by padding, prefix and special tokens kept, to the text.
The scores of a text add up to the difference in log-odds between its two ends; the number of steps is doubled until
they do within `TOLERANCE`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weitiao.errors import require
from weitiao.runtime.reasons.attribution import Attribution

if TYPE_CHECKING:
    from torch import Tensor

    from weitiao.runtime.reasons.probe import Probe

STEPS = (16, 32, 64, 128, 256)
TOLERANCE = 0.05  # of the difference, or of one log-odd where that is less
TOKENS = 2048  # of all steps computed at a time: gradients keep every layer's results in memory


def attribute(probe: Probe) -> Attribution:
    """The share of each unit in the log-odds, in float32. Raises `MissingExtraError` without captum."""
    torch: Any = require("torch", "explain")
    captum: Any = require("captum", "explain")
    import numpy as np

    network, units, info = probe.engine.network, probe.units, probe.engine.bundle.info
    windows, length = len(units.windows), max(map(len, units.windows))
    padded = [[*ids, *[info.pad_token_id] * (length - len(ids))] for ids in units.windows]
    mask = torch.tensor([[int(place < len(ids)) for place in range(length)] for ids in units.windows])
    ids = torch.tensor([padded, padded])  # [text and baseline, windows, length]
    for window, place in (each for places in units.places for each in places):
        ids[1, window, place] = info.pad_token_id

    def output(embedded: Tensor) -> Tensor:
        """Log-odds [batch] of [batch, windows, length, hidden]."""
        masks = mask.repeat(len(embedded), 1)
        hidden = network.hidden(embedded.flatten(0, 1), masks)
        logits = network.head(network.pool(hidden, masks)).unflatten(0, (-1, windows)).mean(dim=1) / info.temperature
        others = torch.cat([logits[:, : probe.label], logits[:, probe.label + 1 :]], dim=1)
        result: Tensor = logits[:, probe.label] - others.logsumexp(dim=1)
        return result

    with probe.engine.turn, torch.enable_grad():
        with torch.no_grad():
            text, baseline = network.encoder.get_input_embeddings()(ids).split(1)
            difference = float(output(text) - output(baseline))
        method = captum.attr.IntegratedGradients(output)
        at_once = max(1, TOKENS // mask.numel())
        for steps in STEPS:
            shares = method.attribute(text, baseline, n_steps=steps, internal_batch_size=at_once)[0].sum(dim=-1)
            gap = float(shares.sum()) - difference
            if abs(gap) <= TOLERANCE * max(1.0, abs(difference)):
                break
    scores = np.array([sum(float(shares[place]) for place in places) for places in units.places])
    return Attribution(scores, [(place, place + 1) for place in range(len(units))], steps, gap)
