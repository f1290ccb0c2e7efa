"""Python, weitiao itself, its extras, the packaged bases."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING

from weitiao.diagnosis.finding import Finding
from weitiao.languages import say
from weitiao.pretrained.packaged import PACKAGED

if TYPE_CHECKING:
    from packaging.requirements import Requirement

OLDEST = (3, 11)
GATHERED = ("all", "test")  # extras that only gather others, or serve those who change weitiao


def look() -> Iterator[Finding]:
    """Python first, then weitiao, extra by extra, and the bases that come with packages."""
    yield _python()
    yield from _packages()
    for name, known in PACKAGED.items():
        if find_spec(known.module):
            yield Finding(
                "base", "ok", say("The base {name} is installed ({package}).", name=name, package=known.package)
            )
        else:
            yield _missing(
                "base",
                say("The base {name} isn't installed ({package}).", name=name, package=known.package),
                known.extra,
            )


def _python() -> Finding:
    found = f"Python {platform.python_version()}, {sys.executable}"
    if sys.version_info[:2] < OLDEST:
        needed = ".".join(map(str, OLDEST))
        return Finding("python", "fault", found, say("weitiao needs Python {version} or newer.", version=needed))
    return Finding("python", "ok", found)


def _packages() -> Iterator[Finding]:
    try:
        ours = metadata.distribution("weitiao")
    except metadata.PackageNotFoundError:
        yield Finding(
            "weitiao",
            "note",
            say("weitiao runs from a folder of source, so what it needs can't be compared with what is installed."),
            'pip install --editable ".[all]"',
        )
        return
    faults = _faults("weitiao", "")
    yield Finding(
        "weitiao",
        "fault" if faults else "ok",
        f"weitiao {ours.version}" + (": " + ", ".join(faults) if faults else ""),
        "pip install --upgrade weitiao" if faults else None,
    )
    for extra in ours.metadata.get_all("Provides-Extra") or []:
        if extra in GATHERED:
            continue
        faults = _faults("weitiao", extra)
        if faults:
            yield _missing("extra", f"weitiao[{extra}]: " + ", ".join(faults), extra)
        else:
            yield Finding("extra", "ok", say("{extra} is complete.", extra=f"weitiao[{extra}]"))


def _missing(check: str, found: str, extra: str) -> Finding:
    return Finding(check, "note", found, f'pip install "weitiao[{extra}]"')


def _faults(package: str, extra: str) -> list[str]:
    """What stands between ``package[extra]`` and being complete: requirements that are absent or of a wrong version."""
    faults = []
    for requirement in _requirements(package, extra):
        if requirement.name == package:  # weitiao[compress] asks for weitiao[tune]
            faults += [fault for inner in sorted(requirement.extras) for fault in _faults(package, inner)]
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            faults.append(say("{package} is missing", package=requirement.name))
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            faults.append(
                say(
                    "{package} is {version}, {wanted} is needed",
                    package=requirement.name,
                    version=version,
                    wanted=requirement.specifier,
                )
            )
    return faults


def _requirements(package: str, extra: str) -> Iterator[Requirement]:
    """What ``package`` asks for on this system; with ``extra``, what that asks for beyond it."""
    from packaging.requirements import Requirement

    for line in metadata.requires(package) or []:
        requirement = Requirement(line)
        marker = requirement.marker
        always = marker is None or marker.evaluate({"extra": ""})
        if (not extra and always) or (extra and not always and marker and marker.evaluate({"extra": extra})):
            yield requirement
