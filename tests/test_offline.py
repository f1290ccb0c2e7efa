"""No network call that nobody asked for: the whole way with every socket of the process and its children watched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Python imports sitecustomize at its start, so that processes which ours start are watched too.
WATCH = """
import os, socket

def _told(what):
    with open(os.environ["SOCKETS_TRIED"], "a", encoding="utf-8") as file:
        file.write(f"{what!r}\\n")

def _watched(name):
    original = getattr(socket.socket, name)
    def method(self, *rest):
        if self.family != getattr(socket, "AF_UNIX", None):
            _told((name, rest))
            raise OSError("no network here")
        return original(self, *rest)
    setattr(socket.socket, name, method)

for _name in ("connect", "connect_ex", "sendto"):
    _watched(_name)

def _nowhere(host, *rest, **more):
    _told(("getaddrinfo", host))
    raise socket.gaierror(-3, "no network here")

socket.getaddrinfo = _nowhere
"""

WAY = """
import sys
import weitiao
base, reviews, out = sys.argv[1:]
weitiao.check(reviews)
weitiao.tune(reviews, out + "/b", base=base, epochs=1, max_length=32)
weitiao.tune(reviews, out + "/l", base=base, epochs=1, max_length=32, method="lora")
for to, precision in (("openvino", "int8"), ("onnx", "fp32")):
    weitiao.compress(out + "/b", out + "/" + to, to=to, precision=precision, force=True)
    weitiao.predict(out + "/" + to, reviews, out + f"/{to}.csv")
weitiao.evaluate(out + "/onnx", reviews, against=out + "/openvino", out=out + "/report")
print("done")
"""

TRY = """
import urllib.request, socket, subprocess, sys
for attempt in (
    lambda: urllib.request.urlopen("http://example.invalid/", timeout=1),
    lambda: socket.create_connection(("127.0.0.1", 9), timeout=1),
    lambda: socket.socket().connect(("127.0.0.1", 9)),
):
    try:
        attempt()
    except OSError:
        continue
    raise SystemExit("a connection was let through")
if len(sys.argv) < 2:
    subprocess.run([sys.executable, "-c", sys.orig_argv[2], "child"], check=True)
"""


@pytest.fixture
def watched(tmp_path: Path) -> tuple[dict[str, str], Path]:
    """An environment in which sockets are watched and nothing says that we are offline; the file they are told in."""
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    tried = tmp_path / "tried.txt"
    tried.touch()
    quiet = (
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "HF_DATASETS_OFFLINE",
        "DO_NOT_TRACK",
        "HF_HUB_DISABLE_TELEMETRY",
        "CI",
    )
    environment = {name: value for name, value in os.environ.items() if name not in quiet}
    path = os.pathsep.join([str(tmp_path / "watch"), *filter(None, [os.environ.get("PYTHONPATH")])])
    # a home of its own: who said no to telemetry once, said it there
    environment |= {
        "PYTHONPATH": path,
        "SOCKETS_TRIED": str(tried),
        "HOME": str(tmp_path),
        "HF_HOME": str(tmp_path / "hf"),
    }
    return environment, tried


def test_the_watch_sees_what_is_tried_in_children_too(watched: tuple[dict[str, str], Path]) -> None:
    environment, tried = watched
    done = subprocess.run([sys.executable, "-c", TRY], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = tried.read_text(encoding="utf-8").splitlines()
    assert len(found) == 6
    assert sum("example.invalid" in line for line in found) == 2


@pytest.mark.slow
def test_the_whole_way_tries_no_connection(
    watched: tuple[dict[str, str], Path], tiny_bert: Path, reviews: Path, tmp_path: Path
) -> None:
    for module in ("torch", "transformers", "peft", "nncf", "onnxscript", "onnxruntime"):
        pytest.importorskip(module)
    environment, tried = watched
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", WAY, str(tiny_bert), str(reviews), str(out)],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=280,
        check=False,
    )
    assert done.stdout == "done\n", done.stderr
    assert tried.read_text(encoding="utf-8") == ""
