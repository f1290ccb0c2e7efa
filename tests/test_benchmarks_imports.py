"""Benchmarks measure what a user gets: they use the promised names and the peers, nothing else."""

from pathlib import Path

import weitiao
from rules import benchmark_faults

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_benchmarks_use_only_the_promised_names_and_the_peers() -> None:
    assert list(BENCHMARKS.glob("*.py")), f"{BENCHMARKS} holds no benchmark"
    faults = benchmark_faults(BENCHMARKS, weitiao.__all__)
    assert not faults, "\n".join(faults)
