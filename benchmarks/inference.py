"""How fast bundles answer beside transformers' pipeline, OpenVINO, onnxruntime and PyTorch, and how alike labels are.

    python benchmarks/inference.py BUNDLE TABLE --rounds 3

BUNDLE is a tuned one (PyTorch, mean pooling), TABLE holds its texts. In each round every contender answers the same
texts in turn, a process of its own: 10,000 of at most 40 characters for agreement with the pipeline's labels (once),
2,000 of them for texts a second (tokenising included), 200 one at a time for latency. Peers run the very graph that
weitiao exported, with the settings in `CONTENDERS`. The limit is what this machine reaches on bfloat16 products of the
encoder's size. Writes benchmarks/results/inference.json as it goes; what is there isn't run again.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from training import limit

import weitiao

OUT = Path(__file__).parent / "results" / "inference.json"
AGREE, BULK, SINGLE = 10_000, 2_000, 200
CONTENDERS = {
    "pipeline": "transformers.pipeline, float32, batch_size=16, texts as they come",
    "torch_bf16": "PyTorch, autocast to bfloat16, sorted by length, batches of 128",
    "openvino_f32": "OpenVINO, INFERENCE_PRECISION_HINT=f32, sorted by length, batches of 64, 2 streams",
    "openvino_bf16": "OpenVINO, INFERENCE_PRECISION_HINT=bf16, sorted by length, batches of 64, 2 streams",
    "onnxruntime": "onnxruntime, float32, all graph optimisations, sorted by length, batches of 64",
    "weitiao_bf16": "weitiao.open_engine(...).predict, bundle compressed to openvino bf16",
    "weitiao_int8": "weitiao.open_engine(...).predict, bundle compressed to openvino int8",
}
Answer = Callable[[list[str]], list[str]]


# -- contenders: a folder of forms in, a function from texts to labels out --------------------------------------------


def tokens_of(folder: Path) -> Callable[[list[str]], list[list[int]]]:
    """The bundle's own tokenizer, prefix included."""
    from tokenizers import Tokenizer

    info = json.loads((folder / "torch" / "bundle.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(folder / "torch" / "tokenizer" / "tokenizer.json"))
    tokenizer.enable_truncation(info["max_length"])
    return lambda texts: [each.ids for each in tokenizer.encode_batch_fast([info["prefix"] + text for text in texts])]


def sorted_batches(ids: list[list[int]], size: int, pad: int) -> list[tuple[list[int], Any, Any]]:
    """(rows, ids, mask) of texts of about one length."""
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    batches = []
    for at in range(0, len(order), size):
        rows = order[at : at + size]
        width = max(len(ids[row]) for row in rows)
        tokens = np.full((len(rows), width), pad, np.int64)
        mask = np.zeros((len(rows), width), np.int64)
        for place, row in enumerate(rows):
            tokens[place, : len(ids[row])] = ids[row]
            mask[place, : len(ids[row])] = 1
        batches.append((rows, tokens, mask))
    return batches


def by_batches(folder: Path, size: int, many: Callable[[list[tuple[Any, Any]]], list[Any]]) -> Answer:
    """Labels by ``many``, which answers a list of (ids, mask) with logits."""
    info = json.loads((folder / "torch" / "bundle.json").read_text(encoding="utf-8"))
    read = tokens_of(folder)

    def answer(texts: list[str]) -> list[str]:
        batches = sorted_batches(read(texts), size, info["pad_token_id"])
        found = [""] * len(texts)
        for (rows, _, _), logits in zip(batches, many([batch[1:] for batch in batches]), strict=True):
            for row, place in zip(rows, np.asarray(logits).argmax(1).tolist(), strict=True):
                found[row] = info["labels"][place]
        return found

    return answer


def module(folder: Path) -> Any:
    """The tuned network as a plain PyTorch module: ids and mask in, logits out."""
    import torch
    from transformers import AutoModel

    info = json.loads((folder / "torch" / "bundle.json").read_text(encoding="utf-8"))

    class Classifier(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = AutoModel.from_pretrained(folder / "torch" / "encoder")
            self.head = torch.nn.Linear(self.encoder.config.hidden_size, len(info["labels"]))
            self.config = self.encoder.config

        def forward(self, input_ids: Any, attention_mask: Any, **_: Any) -> Any:
            hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1)
            return self.head((hidden * mask).sum(1) / mask.sum(1))

    made = Classifier()
    with np.load(folder / "head.npz") as head, torch.no_grad():
        made.head.weight.copy_(torch.from_numpy(head["weight"]))
        made.head.bias.copy_(torch.from_numpy(head["bias"]))
    return made.eval()


def pipeline(folder: Path) -> Answer:
    """What the transformers documentation shows first."""
    from transformers import AutoTokenizer, BertForSequenceClassification, TextClassificationPipeline
    from transformers.modeling_outputs import SequenceClassifierOutput

    info = json.loads((folder / "torch" / "bundle.json").read_text(encoding="utf-8"))
    inner = module(folder)

    class Pooled(BertForSequenceClassification):  # type: ignore[misc]
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.inner = inner

        def forward(self, input_ids: Any = None, attention_mask: Any = None, **_: Any) -> Any:
            return SequenceClassifierOutput(logits=self.inner(input_ids, attention_mask))

    config = inner.config
    config.num_labels = len(info["labels"])
    config.id2label = dict(enumerate(info["labels"]))
    made = TextClassificationPipeline(
        model=Pooled(config).eval(),
        tokenizer=AutoTokenizer.from_pretrained(folder / "torch" / "tokenizer"),
        device=-1,
        batch_size=16,
    )
    cut = {"truncation": True, "max_length": info["max_length"]}
    return lambda texts: [each["label"] for each in made([info["prefix"] + text for text in texts], **cut)]


def torch_bf16(folder: Path) -> Answer:
    """PyTorch as its documentation advises for processors."""
    import torch

    made = module(folder)

    def many(batches: list[tuple[Any, Any]]) -> list[Any]:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return [made(torch.from_numpy(ids), torch.from_numpy(mask)).float().numpy() for ids, mask in batches]

    return by_batches(folder, 128, many)


def openvino(folder: Path, precision: str, single: bool) -> Answer:
    """OpenVINO as its documentation advises: streams for throughput, the latency hint for one text."""
    import openvino as ov

    core = ov.Core()
    how = {"PERFORMANCE_HINT": "LATENCY"} if single else {"NUM_STREAMS": "2"}
    compiled = core.compile_model(
        core.read_model(folder / "fp32" / "model.xml"), "CPU", {"INFERENCE_PRECISION_HINT": precision, **how}
    )

    def many(batches: list[tuple[Any, Any]]) -> list[Any]:
        found: list[Any] = [None] * len(batches)
        queue = ov.AsyncInferQueue(compiled)
        queue.set_callback(lambda request, place: found.__setitem__(place, request.get_output_tensor(0).data.copy()))
        for place, (ids, mask) in enumerate(batches):
            queue.start_async({"input_ids": ids, "attention_mask": mask}, place)
        queue.wait_all()
        return found

    return by_batches(folder, 64, many)


def onnx(folder: Path) -> Answer:
    """onnxruntime on the processor."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "onnx" / "model.onnx", providers=["CPUExecutionProvider"])
    return by_batches(
        folder,
        64,
        lambda batches: [session.run(None, {"input_ids": ids, "attention_mask": mask})[0] for ids, mask in batches],
    )


def ours(folder: Path, precision: str) -> Answer:
    """A bundle, as a user opens it."""
    engine = weitiao.open_engine(folder / precision)
    return lambda texts: [each.label for each in engine.predict(texts)]


def opened(name: str, folder: Path, single: bool) -> Answer:
    """The contender called ``name``."""
    if name.startswith("openvino"):
        return openvino(folder, name.partition("_")[2], single)
    if name.startswith("weitiao"):
        return ours(folder, name.partition("_")[2])
    made: Answer = {"pipeline": pipeline, "torch_bf16": torch_bf16, "onnxruntime": onnx}[name](folder)
    return made


# -- measuring --------------------------------------------------------------------------------------------------------


def measured(name: str, folder: Path, agree: bool) -> dict[str, Any]:
    """Texts a second, median milliseconds for one text, and with ``agree`` the labels of `AGREE` texts."""
    if name == "limit":
        return {"tflops": limit()}
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    answer = opened(name, folder, single=False)
    labels = answer(texts[: AGREE if agree else BULK])  # warms up every shape
    rates = []
    for _ in range(2):
        began = time.perf_counter()
        answer(texts[:BULK])
        rates.append(BULK / (time.perf_counter() - began))
    answer = opened(name, folder, single=True) if name.startswith("openvino") else answer
    answer(texts[:SINGLE]), [answer([text]) for text in texts[:SINGLE]]
    taken = []
    for text in texts[:SINGLE]:
        began = time.perf_counter()
        answer([text])
        taken.append(1e3 * (time.perf_counter() - began))
    found: dict[str, Any] = {"texts_per_second": max(rates), "p50_ms": statistics.median(taken)}
    return found | ({"labels": labels} if agree else {})


def prepared(bundle: Path, table: str, column: str | None, folder: Path) -> None:
    """Every form of the bundle, and the texts, in ``folder``."""
    import torch  # noqa: F401  safetensors needs it for what follows
    from transformers.utils import logging

    logging.set_verbosity_error()
    (folder / "torch").symlink_to(bundle.resolve())
    for name, to, precision in (
        ("fp32", "openvino", "fp32"),
        ("bf16", "openvino", "bf16"),
        ("int8", "openvino", "int8"),
        ("onnx", "onnx", "fp32"),
    ):
        weitiao.compress(bundle, folder / name, to=to, precision=precision, force=True)
    head = head_of(bundle)
    np.savez(folder / "head.npz", **head)
    with open(table, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    column = column or json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["text_column"]
    texts = [row[column] for row in rows if 1 <= len(row[column]) <= 40]
    np.random.default_rng(0).shuffle(texts)
    (folder / "texts.json").write_text(json.dumps(texts[:AGREE], ensure_ascii=False), encoding="utf-8")


def head_of(bundle: Path) -> dict[str, Any]:
    """Weight and bias of the head: a safetensors file is a length, a header in JSON, and numbers."""
    raw = (bundle / "head.safetensors").read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    found = {}
    for name in ("weight", "bias"):
        begin, end = header[name]["data_offsets"]
        found[name] = np.frombuffer(raw[8 + size + begin : 8 + size + end], np.float32).reshape(header[name]["shape"])
    return found


def main() -> None:
    """Run what isn't there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("table")
    parser.add_argument("--text")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contender", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        name, agree = options.contender
        print(json.dumps(measured(name, options.bundle, agree == "1")))
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        prepared(options.bundle, options.table, options.text, folder)
        told: dict[str, Any] = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {"rounds": {}}
        for number in range(options.rounds):
            if str(number) in told["rounds"]:
                continue
            figures: dict[str, Any] = {}
            for name in [*CONTENDERS, "limit"]:
                command = [sys.executable, __file__, str(folder), "-", "--contender", name, str(int(number == 0))]
                ended = subprocess.run(command, capture_output=True, text=True, check=False)
                if ended.returncode:
                    sys.exit(f"{name}: {ended.stderr[-2000:]}")
                figures[name] = json.loads(ended.stdout.strip().splitlines()[-1])
                shown = {key: value for key, value in figures[name].items() if key != "labels"}
                print(number, name, json.dumps(shown), flush=True)
            if number == 0:
                labels = {name: figures[name].pop("labels") for name in CONTENDERS}
                told["texts"] = len(labels["pipeline"])
                told["labels_equal"] = {
                    name: float(np.mean([a == b for a, b in zip(labels["pipeline"], some, strict=True)]))
                    for name, some in labels.items()
                }
            told["rounds"][str(number)] = figures
            read = tokens_of(folder)
            texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))[:BULK]
            told["tokens"] = float(np.mean([len(ids) for ids in read(texts)]))
            told |= summary(told)
            told["contenders"], told["machine"] = CONTENDERS, weitiao.doctor()["machine"]
            OUT.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def summary(told: dict[str, Any]) -> dict[str, Any]:
    """Medians over rounds, and weitiao's ratios within them."""
    rounds = list(told["rounds"].values())
    flop = 2 * 12 * (4 * 384**2 + 2 * 384 * 1536) * told["tokens"]
    peers = [name for name in CONTENDERS if not name.startswith("weitiao")]
    found: dict[str, Any] = {
        "texts_per_second": {n: statistics.median(r[n]["texts_per_second"] for r in rounds) for n in CONTENDERS},
        "p50_ms": {n: statistics.median(r[n]["p50_ms"] for r in rounds) for n in CONTENDERS},
        "limit_tflops": statistics.median(r["limit"]["tflops"] for r in rounds),
    }
    for mine in ("weitiao_bf16", "weitiao_int8"):
        best = [max(r[n]["texts_per_second"] for n in peers if n != "pipeline") for r in rounds]
        quickest = [min(r[n]["p50_ms"] for n in peers) for r in rounds]
        found[mine] = {
            "over_pipeline": statistics.median(
                r[mine]["texts_per_second"] / r["pipeline"]["texts_per_second"] for r in rounds
            ),
            "over_best_engine": statistics.median(
                r[mine]["texts_per_second"] / other for r, other in zip(rounds, best, strict=True)
            ),
            "latency_to_best": statistics.median(
                r[mine]["p50_ms"] / other for r, other in zip(rounds, quickest, strict=True)
            ),
            "share_of_bf16_limit": statistics.median(
                r[mine]["texts_per_second"] * flop / (r["limit"]["tflops"] * 1e12) for r in rounds
            ),
        }
    return found


if __name__ == "__main__":
    main()
