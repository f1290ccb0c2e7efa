"""What weitiao says to input that can't be used: each kind made on the spot and given to the command line.

    python benchmarks/bad_inputs.py

Every kind must end with exit code 2, without a traceback, with the file's name in the message, and with nothing
changed or left behind. Writes benchmarks/results/bad_inputs.json.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
GOOD = "text,label\n" + "".join(
    f"第{n}条评论{'很好' if n % 2 else '很差'},{'pos' if n % 2 else 'neg'}\n" for n in range(60)
)
MB = 2**20


def text(content: str, encoding: str = "utf-8") -> Callable[[Path], None]:
    """Writes ``content``."""
    return lambda path: path.write_bytes(content.encode(encoding))


def data(content: bytes) -> Callable[[Path], None]:
    """Writes ``content``."""
    return lambda path: path.write_bytes(content)


def _gb18030_cut(path: Path) -> None:
    path.write_bytes(GOOD.encode("gb18030") + "又一条".encode("gb18030")[:-1])


def _long_line(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"text,label\n")
        for _ in range(100):
            file.write(b"x" * MB)
        file.write(b",pos\n")


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", GOOD)


def _parquet(path: Path, keep: float) -> None:
    import pyarrow as arrow
    from pyarrow import parquet

    whole = path.with_suffix(".whole")
    parquet.write_table(arrow.table({"text": ["好"] * 500, "label": ["a", "b"] * 250}), whole)
    path.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * keep)])
    whole.unlink()


def _one(label: str) -> str:
    return "text,label\n" + "".join(f"评论{n},{label}\n" for n in range(50))


TABLES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "missing file": ("absent.csv", lambda path: None),
    "empty file": ("empty.csv", data(b"")),
    "only white space": ("blank.csv", text("\n \n\n")),
    "header only": ("header.csv", text("text,label\n")),
    "two columns of one name": ("twins.csv", text(GOOD.replace("text,label", "label,label", 1))),
    "no label column": ("unlabelled.csv", text("".join(f"{'text' if n == 0 else f'句子{n}'}\n" for n in range(50)))),
    "labels all missing": ("nolabels.csv", text(_one(""))),
    "one class only": ("oneclass.csv", text(_one("pos"))),
    "a class with one example": ("single.csv", text(GOOD + "独一无二,rare\n")),
    "too few rows": ("few.csv", text("text,label\n好,a\n坏,b\n")),
    "NUL bytes": ("nul.csv", data(GOOD.encode().replace("第7条".encode(), b"\0\0\0"))),
    "UTF-16 without a mark": ("utf16.csv", text(GOOD, "utf-16-le")),
    "GB18030 cut in a character": ("cut.csv", _gb18030_cut),
    "UTF-8 cut in a character": ("cut8.csv", data(GOOD.encode() + "好".encode()[:2])),
    "random bytes": ("random.csv", data(random.Random(0).randbytes(200_000))),
    "100 MB line": ("longline.csv", _long_line),
    "quote never closed": ("quote.csv", text('text,label\n"' + "不停,pos\n" * 5000)),
    "every row too wide": ("wide.csv", text("text,label\n" + "a,b,c,d\n" * 50)),
    "pickle named .csv": ("pickled.csv", data(b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07payload\x94.")),
    "zip named .csv": ("zipped.csv", _zip),
    "gzip named .csv": ("gzipped.csv", data(b"\x1f\x8b\x08\x00" + bytes(random.Random(1).randbytes(500)))),
    "truncated Parquet": ("cut.parquet", lambda path: _parquet(path, 0.6)),
    "Parquet named .csv": ("parquet.csv", lambda path: _parquet(path, 1.0)),
    "damaged Excel": ("damaged.xlsx", data(b"PK\x03\x04" + bytes(random.Random(2).randbytes(4000)))),
    "old Excel (.xls)": ("old.xls", data(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000))),
    "JSON array cut off": ("cut.json", text('[{"text": "好", "label": "a"}, {"text": "坏"')),
    "JSON lines of lists": ("lists.jsonl", text("[1, 2]\n" * 50)),
    "JSON lines that don't parse": ("broken.jsonl", text('{"text": "好", "label": \n' * 50)),
    "unknown ending": ("table.docx", text(GOOD)),
    "a folder that is no data set": ("folder.csv", lambda path: path.mkdir()),
    "HTML named .csv": ("page.csv", text("<!doctype html><html><body>" + "<p>登录</p>\n" * 50 + "</body></html>")),
}


def tiny_bundle(folder: Path, base: str) -> Path:
    """A small real bundle to damage."""
    table = folder / "good.csv"
    table.write_text(GOOD, encoding="utf-8")
    bundle = folder / "bundle"
    call = ["tune", str(table), "--out", str(bundle), "--base", base, "--method", "head"]
    subprocess.run([sys.executable, "-m", "weitiao", *call], check=True, capture_output=True)
    return bundle


def _flip(bundle: Path) -> str:
    path = bundle / "head.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    return path.name


def _extra(name: str, content: bytes) -> Callable[[Path], str]:
    def damage(bundle: Path) -> str:
        (bundle / name).write_bytes(content)
        return name

    return damage


def _listed(name: str, content: bytes) -> Callable[[Path], str]:
    """A file put in, and the manifest rewritten to list it with its right hash."""

    def damage(bundle: Path) -> str:
        target = (bundle / name).resolve()
        target.write_bytes(content)
        manifest = bundle / "manifest.json"
        listed = json.loads(manifest.read_text(encoding="utf-8"))
        listed["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        manifest.write_text(json.dumps(listed), encoding="utf-8")
        return Path(name).name

    return damage


def _removed(bundle: Path) -> str:
    (bundle / "bundle.json").unlink()
    return "bundle.json"


def _linked(bundle: Path) -> str:
    path = bundle / "README.md"
    path.rename(bundle.parent / "outside.md")
    path.symlink_to(bundle.parent / "outside.md")
    return path.name


def _cut_manifest(bundle: Path) -> str:
    path = bundle / "manifest.json"
    path.write_bytes(path.read_bytes()[:100])
    return path.name


BUNDLES: dict[str, Callable[[Path], str]] = {
    "bundle with a changed byte": _flip,
    "bundle with a file missing": _removed,
    "bundle with a file too many": _extra("extra.txt", b"hello"),
    "bundle with a pickle in it": _extra("model.pkl", b"\x80\x04K\x01."),
    "bundle whose manifest lists a pickle": _listed(
        "weights.dat", b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00K\x01."
    ),
    "bundle with a path that climbs out": _listed("../climbed.txt", b"out"),
    "bundle with a link": _linked,
    "bundle with a cut manifest": _cut_manifest,
}


def run(kind: str, call: list[str], name: str, out: Path) -> dict[str, Any]:
    """One call; what came back, and whether it was told plainly."""
    done = subprocess.run([sys.executable, "-m", "weitiao", *call], capture_output=True, text=True, timeout=300)
    plain = done.returncode == 2 and "Traceback" not in done.stderr and name in done.stderr and not out.exists()
    message = done.stderr.strip().replace(str(out.parent) + os.sep, "")
    return {"kind": kind, "exit_code": done.returncode, "told_plainly": plain, "message": message[-600:]}


def main() -> None:
    """Make each kind, give it, write down what came back."""
    base = sys.argv[1] if len(sys.argv) > 1 else "minilm"
    told = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for kind, (name, make) in TABLES.items():
            make(folder / name)
            told.append(
                run(
                    kind,
                    ["tune", str(folder / name), "--out", str(folder / "out"), "--base", base],
                    name,
                    folder / "out",
                )
            )
            print(told[-1]["told_plainly"], kind, "|", told[-1]["message"][:160], flush=True)
        good = tiny_bundle(folder, base)
        unknown = folder / "unknown_label.csv"
        unknown.write_text(GOOD + "没见过,new\n", encoding="utf-8")
        calls = {
            "unknown label in the test table": (
                ["tune", str(folder / "good.csv"), "--test", str(unknown), "--out", "{out}", "--base", base],
                unknown.name,
            ),
            "unknown label in evaluate": (["evaluate", str(good), str(unknown)], unknown.name),
            "a column that isn't there": (
                ["tune", str(folder / "good.csv"), "--text", "txet", "--out", "{out}", "--base", base],
                "good.csv",
            ),
            "a plain model folder as a bundle": (["predict", str(folder), str(unknown), "--out", "{out}"], folder.name),
            "a recipe that isn't TOML": (
                ["tune", str(folder / "good.csv"), "--out", "{out}", "--recipe", str(unknown)],
                unknown.name,
            ),
        }
        for kind, (call, name) in calls.items():
            told.append(run(kind, [part.replace("{out}", str(folder / "out")) for part in call], name, folder / "out"))
            print(told[-1]["told_plainly"], kind, "|", told[-1]["message"][:160], flush=True)
        for kind, damage in BUNDLES.items():
            copy = folder / "damaged"
            shutil.copytree(good, copy)
            name = damage(copy)
            told.append(
                run(
                    kind,
                    ["predict", str(copy), str(unknown), "--out", str(folder / "out.csv")],
                    name,
                    folder / "out.csv",
                )
            )
            shutil.rmtree(copy)
            print(told[-1]["told_plainly"], kind, "|", told[-1]["message"][:160], flush=True)
    found = {"kinds": len(told), "told_plainly": sum(each["told_plainly"] for each in told), "outcomes": told}
    (RESULTS / "bad_inputs.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{found['told_plainly']} of {found['kinds']} told plainly")


if __name__ == "__main__":
    main()
