"""Attacks on a running customer service, what must come of each, and what came: ``results/support_attack.json``.

    python benchmarks/support_attack.py [-k WORDS]

The attacks are the tests in ``tests/apps/support/attack`` (their first lines say what is attacked and what must come of
it): a server of its own process on SQLite, hostile documents in its project, a real browser. Ends with one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
OUT = ROOT / "benchmarks" / "results" / "support_attack.json"


def run(words: str) -> dict[str, dict[str, Any]]:
    """Every attack by what it is: expected, cases, outcome (held, broken, not tried), seconds."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        call = [sys.executable, "-m", "pytest", "tests/apps/support/attack", "-q", "-p", "no:cacheprovider"]
        call += [f"--junitxml={report}", "-o", "junit_family=xunit1", *(["-k", words] if words else [])]
        subprocess.run(call, cwd=ROOT, stdout=sys.stderr, check=False)
        cases = ElementTree.parse(report).getroot().iter("testcase")  # noqa: S314 - written by pytest just now
        found: dict[str, dict[str, Any]] = {}
        for case in cases:
            told = {each.get("name"): each.get("value") for each in case.iter("property")}
            attack = found.setdefault(
                str(told.get("attack") or case.get("name")),
                {
                    "expected": told.get("expected"),
                    "cases": 0,
                    "held": 0,
                    "broken": [],
                    "not_tried": [],
                    "seconds": 0.0,
                },
            )
            attack["cases"] += 1
            attack["seconds"] = round(attack["seconds"] + float(case.get("time") or 0), 2)
            if any(each.tag in ("failure", "error") for each in case):
                attack["broken"].append(case.get("name"))
            elif any(each.tag == "skipped" for each in case):
                attack["not_tried"].append(case.get("name"))
            else:
                attack["held"] += 1
    return found


def main() -> None:
    """Run the list and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-k", default="", metavar="WORDS", help="only attacks whose test's name has these")
    began = time.time()
    attacks = run(parser.parse_args().k)
    outcome = {
        name: "broken" if each["broken"] else "not tried" if not each["held"] else "held"
        for name, each in attacks.items()
    }
    result = {
        "attacks": [{"attack": name, **each, "outcome": outcome[name]} for name, each in attacks.items()],
        "held": sum(each == "held" for each in outcome.values()),
        "broken": sorted(name for name, each in outcome.items() if each == "broken"),
        "not_tried": sorted(name for name, each in outcome.items() if each == "not tried"),
        "cases": sum(int(each["cases"]) for each in attacks.values()),
        "seconds": round(time.time() - began, 1),
        "database": "SQLite",
        "machine": {"system": platform.platform(), "python": platform.python_version(), "processors": os.cpu_count()},
    }
    OUT.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for name in outcome:
        print(f"{outcome[name]:10} {name}", file=sys.stderr)
    print(json.dumps({name: result[name] for name in ("held", "broken", "not_tried", "cases", "seconds")}))


if __name__ == "__main__":
    main()
