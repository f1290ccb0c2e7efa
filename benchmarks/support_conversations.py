"""Written conversations with the example shop: how many go as written, without and with a tuned network.

    python benchmarks/support_conversations.py [--minutes 25] [--folder DIR] [FOLDER…]

Makes the example project twice, learns one in seconds and one with a network that is tuned for --minutes, and plays
with each the conversations in every FOLDER (default: those of the tests). With --folder both stay there, and what was
learned in an earlier call is used. Prints one JSON object last; writes benchmarks/results/support_conversations.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import weitiao

HERE = Path(__file__).parent
WRITTEN = HERE.parent / "tests" / "apps" / "support"
FOLDERS = ("conversations", "paraphrased", "paraphrased_again", "paraphrased_last")
KEPT = ("questions", "accuracy", "answered", "wrong", "bound", "certified", "threshold", "bundle")


def support(*arguments: str) -> dict[str, Any]:
    """What a verb prints."""
    command = [sys.executable, "-m", "weitiao", "support", *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    if not done.stdout.strip():
        sys.exit(done.returncode)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def learned(shop: Path, *more: str) -> dict[str, Any]:
    """What `support train` told of the example shop, unless an earlier call did that."""
    kept = shop.with_suffix(".json")
    if not kept.is_file():
        if not shop.is_dir():
            support("new", str(shop))
        began = time.monotonic()
        told = support("train", str(shop), *more)
        found = {each: told[each] for each in KEPT} | {"seconds": round(time.monotonic() - began)}
        kept.write_text(json.dumps(found))
    return dict(json.loads(kept.read_text()))


def played(shop: Path, folders: list[Path]) -> dict[str, Any]:
    """By folder: how many conversations there are, how many went as written, and where the others went astray."""
    found = {}
    for folder in folders:
        told = support("test", str(shop), str(folder))
        astray = [{name: failure[name] for name in ("file", "turn", "problems")} for failure in told["failures"]]
        found[folder.name] = {name: told[name] for name in ("conversations", "passed")} | {"astray": astray}
    return found


def main() -> None:
    """Learn twice, play after each."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("folders", nargs="*", type=Path, default=[WRITTEN / name for name in FOLDERS])
    reader.add_argument("--minutes", type=float, default=25)
    reader.add_argument("--folder", type=Path)
    given = reader.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        runs = {}
        for name, more in (("quick", ()), ("tuned", ("--minutes", str(given.minutes)))):
            shop = (given.folder or Path(scratch)) / name
            runs[name] = learned(shop, *more) | played(shop, given.folders)
    found = {"runs": runs, "minutes": given.minutes, "machine": weitiao.doctor()["machine"]}
    (HERE / "results" / "support_conversations.json").write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    print(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__":
    main()
