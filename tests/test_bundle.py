"""A bundle is whole or it isn't opened: every way to spoil one is told, naming the file."""

from __future__ import annotations

import errno
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from bundles import bare_bundle, copied, info_for
from weitiao.bundle import Bundle, BundleInfo, check_free, create, model_card, show, verify
from weitiao.bundle import write as writing
from weitiao.bundle.manifest import write_manifest
from weitiao.errors import BundleError, OutputError


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bare_bundle(tmp_path_factory.mktemp("bundles") / "whole")


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    return copied(whole, tmp_path / "b")


def sealed(folder: Path) -> Path:
    """``folder`` with a manifest written over what it now holds, by someone who skips weitiao's own checks."""
    import hashlib

    files = {
        file.relative_to(folder).as_posix(): {
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "bytes": file.stat().st_size,
        }
        for file in folder.rglob("*")
        if file.is_file() and file.name != "manifest.json"
    }
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "files": files}))
    return folder


def changed_manifest(folder: Path, change: Callable[[dict], None]) -> None:
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(json.dumps(manifest))


def refusal(folder: Path, digest: str | None = None) -> str:
    with pytest.raises(BundleError) as caught:
        verify(folder, digest)
    return str(caught.value)


def test_a_whole_bundle_opens_and_shows_itself(whole: Path) -> None:
    opened = Bundle.open(whole)
    assert opened.info.labels == ["negative", "positive"]
    assert opened.digest == verify(whole, opened.digest) == verify(whole, "sha256:" + opened.digest.upper())
    shown = show(whole)
    assert shown["digest"] == opened.digest
    assert shown["bytes"] == sum(entry["bytes"] for entry in shown["files"])
    assert {entry["path"] for entry in shown["files"]} >= {"bundle.json", "tokenizer/tokenizer.json", "weights.bin"}
    assert json.loads(json.dumps(shown)) == shown


def test_the_same_content_has_the_same_digest(tmp_path: Path, bundle: Path) -> None:
    before = (bundle / "manifest.json").read_bytes()
    assert write_manifest(bundle) == verify(bundle)
    assert (bundle / "manifest.json").read_bytes() == before


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_is_found(whole: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    digest = verify(whole)
    folder = copied(whole, tmp_path_factory.mktemp("changed") / "b")
    name = data.draw(st.sampled_from(sorted(str(f.relative_to(whole)) for f in whole.rglob("*") if f.is_file())))
    content = bytearray((folder / name).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(BundleError):
        verify(folder, digest)


@pytest.mark.parametrize("name", ["weights.bin", "bundle.json", "tokenizer/tokenizer.json"])
def test_a_changed_file_is_named(bundle: Path, name: str) -> None:
    content = (bundle / name).read_bytes()
    (bundle / name).write_bytes(bytes([content[0] ^ 1]) + content[1:])
    assert f"{bundle / name} was changed: its sha256" in refusal(bundle)
    (bundle / name).write_bytes(content + b" ")
    assert f"{bundle / name} was changed: it has {len(content) + 1} bytes" in refusal(bundle)


def test_a_missing_file_is_named(bundle: Path) -> None:
    (bundle / "weights.bin").unlink()
    assert f"{bundle / 'weights.bin'} is missing" in refusal(bundle)


@pytest.mark.parametrize("name", ["notes.txt", "tokenizer/.hidden", "__pycache__/evil.py"])
def test_an_extra_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).parent.mkdir(exist_ok=True)
    (bundle / name).write_text("x")
    assert f"{bundle / name} doesn't belong to the bundle" in refusal(bundle)


@pytest.mark.parametrize("name", ["link", "weights.bin", "tokenizer"])
def test_symlinks_are_refused(bundle: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    if (bundle / name).exists():
        (bundle / name).rename(outside)
    else:
        outside.write_text("x")
    (bundle / name).symlink_to(outside)
    assert f"{bundle / name} is a link" in refusal(bundle)


def test_a_linked_manifest_is_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "manifest.json").rename(tmp_path / "m.json")
    (bundle / "manifest.json").symlink_to(tmp_path / "m.json")
    assert "manifest.json must be a plain file" in refusal(bundle)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused(bundle: Path) -> None:
    os.mkfifo(bundle / "pipe")
    assert f"{bundle / 'pipe'} is a link or a device" in refusal(bundle)


@pytest.mark.parametrize(
    "path",
    [
        "../outside.txt", "tokenizer/../../outside.txt", "/etc/hostname", "..", ".", "", "a//b", "./weights.bin",
        "..\\outside.txt", "C:\\windows\\x", "C:x", "\\\\server\\share", "manifest.json", "a\0b", "a/", "x\ny",
    ],
)  # fmt: skip
def test_a_path_that_climbs_out_is_refused(bundle: Path, path: str) -> None:
    (bundle.parent / "outside.txt").write_text("x")
    changed_manifest(bundle, lambda manifest: manifest["files"].update({path: {"sha256": "0" * 64, "bytes": 1}}))
    message = refusal(bundle)
    assert f"{bundle / 'manifest.json'} names the path {path!r}" in message


class Evil:
    def __reduce__(self) -> tuple:
        return (os.system, ("true",))


def zipped(file: Path, *names: str) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")


PICKLES: dict[str, tuple[str, Callable[[Path], object]]] = {
    **{
        f"ending {ending}": (f"x{ending}", lambda file: file.write_bytes(b"harmless"))
        for ending in (".pkl", ".PICKLE", ".pt", ".pth", ".ckpt", ".joblib", ".npz")
    },
    **{
        f"protocol {n}": (
            "pytorch_model.bin",
            lambda file, n=n: file.write_bytes(pickle.dumps({"a": Evil()}, protocol=n)),
        )
        for n in (2, 3, 4, 5)
    },
    "of nothing": ("weights.dat", lambda file: file.write_bytes(pickle.dumps(None, protocol=4))),
    "long": ("weights.dat", lambda file: file.write_bytes(pickle.dumps([b"x" * 200_000], protocol=4))),
    "torch's archive": ("pytorch_model.bin", lambda file: zipped(file, "archive/data.pkl", "archive/data/0")),
    "broken archive": ("weights.dat", lambda file: file.write_bytes(b"PK\x03\x04" + b"\0" * 40)),
    "array of objects": (
        "weights.npy",
        lambda file: np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True),
    ),
}


@pytest.mark.parametrize(("name", "write"), PICKLES.values(), ids=PICKLES.keys())
@pytest.mark.parametrize("listed", [True, False], ids=["listed", "extra"])
def test_pickles_are_refused(bundle: Path, name: str, write: Callable[[Path], object], listed: bool) -> None:
    write(bundle / name)
    if listed:
        sealed(bundle)
    assert f"{bundle / name} is a pickle" in refusal(bundle)


@pytest.mark.parametrize(("name", "write"), PICKLES.values(), ids=PICKLES.keys())
def test_no_bundle_is_made_with_a_pickle(tmp_path: Path, name: str, write: Callable[[Path], object]) -> None:
    with pytest.raises(BundleError, match="is a pickle"), create(tmp_path / "b", info_for()) as folder:
        write(folder / name)
    assert list(tmp_path.iterdir()) == []


def test_what_only_looks_like_a_pickle_is_welcome(tmp_path: Path) -> None:
    with create(tmp_path / "b", info_for()) as folder:
        (folder / "model.bin").write_bytes(b"\x80\x04\x01\x03" + bytes(64))  # 8-bit weights
        np.save(folder / "numbers.npy", np.arange(3))
        zipped(folder / "sheets.xlsx", "xl/workbook.xml")
        for length in range(1, 260):  # headers of 640, 896, 1,152 and 1,408 bytes begin with a pickle's first two
            save_file({"w": np.zeros(1, np.float32)}, folder / f"{length}.safetensors", {"pad": "x" * length * 6})
    verify(tmp_path / "b")


def test_safetensors_that_do_not_parse_are_refused(bundle: Path) -> None:
    save_file({"w": np.ones(100, np.float32)}, bundle / "head.safetensors")
    verify(sealed(bundle))
    for content in (b"", b"garbage", (bundle / "head.safetensors").read_bytes()[:-9]):
        (bundle / "head.safetensors").write_bytes(content)
        assert f"{bundle / 'head.safetensors'} doesn't parse as safetensors" in refusal(sealed(bundle))


def test_a_rewritten_manifest_is_caught_by_the_pinned_digest(bundle: Path) -> None:
    digest = verify(bundle)
    (bundle / "weights.bin").write_bytes(b"other weights")
    sealed(bundle)
    verify(bundle)
    message = refusal(bundle, digest)
    assert str(bundle / "manifest.json") in message
    assert digest in message


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64, "0" * 63, "0" * 65])
def test_a_digest_that_is_none_is_told(bundle: Path, digest: str) -> None:
    assert "64 hexadecimal digits" in refusal(bundle, digest)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "isn't the JSON of a manifest"),
        (b"\xff\xfe{}", "isn't the JSON of a manifest"),
        (b"not json", "isn't the JSON of a manifest"),
        (b"[" * 100_000, "isn't the JSON of a manifest"),
        (b'{"format": 1, "format": 1, "files": {}}', "a key stands in it twice"),
        (b"[]", 'must hold "format" and "files"'),
        (b'{"files": {}}', 'must hold "format" and "files"'),
        (b'{"format": true, "files": {}}', 'must hold "format" and "files"'),
        (b'{"format": "1", "files": {}}', 'must hold "format" and "files"'),
        (b'{"format": 1, "files": []}', 'must hold "format" and "files"'),
        (b'{"format": 99, "files": {}}', "made by a newer weitiao"),
        (b'{"format": 0, "files": {}}', "never was"),
        (b'{"format": 1, "files": {"a": "b"}}', "says no sha256 and size for 'a'"),
        (b'{"format": 1, "files": {"a": {"sha256": "0", "bytes": 1}}}', "says no sha256 and size for 'a'"),
        (b'{"format": 1, "files": {"a": {"sha256": "%s", "bytes": -1}}}' % (b"0" * 64), "says no sha256 and size"),
        (b" " * (5 << 20), "is too big to be a manifest"),
    ],
)
def test_a_manifest_that_is_none_is_told(bundle: Path, content: bytes, expected: str) -> None:
    (bundle / "manifest.json").write_bytes(content)
    message = refusal(bundle)
    assert expected in message
    assert str(bundle / "manifest.json") in message


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.text().map(str.encode))
def test_random_bytes_for_a_manifest_never_crash(bundle: Path, content: bytes) -> None:
    (bundle / "manifest.json").write_bytes(content)
    refusal(bundle)


def test_what_is_no_bundle_is_told_what_it_is(tmp_path: Path) -> None:
    assert "there is no such bundle" in refusal(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    assert "is a file; a bundle is a folder" in refusal(tmp_path / "file")
    (tmp_path / "folder").mkdir()
    assert "is an empty folder" in refusal(tmp_path / "folder")
    (tmp_path / "folder" / "x.txt").write_text("x")
    assert "it has no manifest.json" in refusal(tmp_path / "folder")
    (tmp_path / "folder" / "model.xml").write_text("x")
    assert "holds an exported model" in refusal(tmp_path / "folder")
    (tmp_path / "folder" / "config.json").write_text("{}")
    assert f"--base {tmp_path / 'folder'}" in refusal(tmp_path / "folder")
    (tmp_path / "folder" / "adapter_config.json").write_text("{}")
    assert "PEFT adapter" in refusal(tmp_path / "folder")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"labels": ["a", "a"]}, "labels must be distinct"),
        ({"labels": []}, "labels"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"engine": "quantum"}, "engine"),
        ({"max_length": 0}, "max_length"),
        ({"pooling": "tokens", "suffix": "?"}, "suffix"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_description_that_does_not_fit_is_told(bundle: Path, change: dict, expected: str) -> None:
    described = json.loads((bundle / "bundle.json").read_text()) | change
    (bundle / "bundle.json").write_text(json.dumps(described))
    with pytest.raises(BundleError) as caught:
        Bundle.open(sealed(bundle))
    assert str(bundle / "bundle.json") in str(caught.value)
    assert expected in str(caught.value)


def test_a_bundle_without_a_description_is_told(bundle: Path) -> None:
    (bundle / "bundle.json").unlink()
    with pytest.raises(BundleError, match=r"bundle\.json"):
        Bundle.open(sealed(bundle))


def test_nothing_is_there_before_it_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "b"
    with create(out, info := info_for()) as folder:
        assert not out.exists()
        assert folder.parent == out.parent
        info.metrics["accuracy"] = 0.5
    assert Bundle.open(out).info.metrics == {"accuracy": 0.5}
    assert [each.name for each in out.parent.iterdir()] == ["b"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_stays_behind_after_an_error(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), create(tmp_path / "b", info_for()) as folder:
        (folder / "half").write_text("x")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No space left"), create(tmp_path / "b", info_for()):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(FileNotFoundError), create(tmp_path / "b", info_for()) as folder:
        (folder / "not there").read_bytes()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path, whole: Path) -> None:
    digest = verify(whole)
    with pytest.raises(OutputError, match="already there"):
        check_free(whole)
    with pytest.raises(OutputError, match="already there"), create(whole, info_for()):
        pass
    assert verify(whole) == digest
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="already there"):
        check_free(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with create(tmp_path / "empty", info_for()):
        pass
    verify(tmp_path / "empty")


def test_two_that_make_the_same_bundle_do_not_mix(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match="already there"),
        create(tmp_path / "b", info_for(prefix="second")),
        create(tmp_path / "b", info_for(prefix="first")),
    ):
        pass
    assert Bundle.open(tmp_path / "b").info.prefix == "first"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="file"), create(tmp_path / "file" / "b", info_for()):
        pass

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(writing.os, "replace", refused)
    with pytest.raises(OutputError, match="Permission denied"), create(tmp_path / "b", info_for()):
        pass
    assert not (tmp_path / "b").exists()


CARD = {
    "base": {"name": "minilm", "licence": "Apache-2.0", "languages": ["en"]},
    "data": {"source": "/home/someone/private/tickets.csv", "fingerprint": "f" * 64, "rows": 1234},
    "metrics": {"accuracy": 0.93, "macro_f1": {"value": 0.9, "low": 0.88, "high": 0.92}, "per_class": {"a": {}}},
}


def front_matter(card: str) -> dict:
    import yaml

    head = card.split("---\n")[1]
    return yaml.safe_load(head)


def test_the_model_card_is_what_hugging_face_reads() -> None:
    card = model_card(info_for(**CARD), {"seed": 7, "machine": {"processor": "Abacus"}})
    head = front_matter(card)
    assert head["license"] == "apache-2.0"
    assert head["language"] == ["en"]
    assert head["base_model"] == "minilm"
    assert head["pipeline_tag"] == "text-classification"
    assert head["metrics"] == ["accuracy", "f1"]
    assert head["model-index"][0]["results"][0]["metrics"][0]["value"] == 0.93
    assert "f" * 64 in card
    assert "0.8800 – 0.9200" in card
    assert "weitiao predict" in card
    assert "中文说明" in card
    assert "Abacus" in card
    assert "/home/someone" not in card


def test_hostile_names_cannot_break_the_card() -> None:
    nasty = 'x"\n---\nlicense: none\n| a | b'
    card = model_card(info_for(labels=[nasty, "b"], base={"name": nasty, "licence": nasty}, data={"source": nasty}), {})
    assert front_matter(card)["license"] == nasty.lower()


def test_a_card_without_figures_says_so() -> None:
    card = model_card(BundleInfo(labels=["a", "b"], text_column="t", base={}, max_length=8), {})
    assert "None were measured." in card
    assert front_matter(card)["license"] == "unknown"


def test_many_labels_are_shortened() -> None:
    card = model_card(info_for(labels=[f"label {n}" for n in range(150)]), {})
    assert "`label 99` and 50 more" in card


@pytest.mark.parametrize(
    "change",
    [
        {"pooling": "evil"},
        {"task": "nope"},
        {"temperature": 5e-324},
        {"max_length": 10**30},
        {"pad_token_id": 10**12},
        {"prefix": "x" * 10_000},
    ],
)
def test_a_consistent_bundle_with_senseless_values_is_refused(bundle: Path, change: dict) -> None:
    file = bundle / "bundle.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    sealed(bundle)
    with pytest.raises(BundleError, match=next(iter(change))):
        Bundle.open(bundle)


def test_a_place_below_a_file_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be written"):
        check_free(tmp_path / "file" / "b")
