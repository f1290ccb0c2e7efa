"""A new project: the example shop, to be made one's own."""

from __future__ import annotations

import shutil
from importlib.resources import as_file, files
from os import PathLike
from typing import Any

from weitiao.bundle.write import check_free, refusals_told
from weitiao.files import unfinished

IGNORED = """\
# what is made of the project, or holds what customers said
/models/
/cache/
/report.html
/origins.json
/*.set-aside.jsonl
/inbox.yaml
/reports/
/support.db*
/*.undone
"""


def new(folder: str | PathLike[str]) -> dict[str, Any]:
    """Write the example project to ``folder``, which must be empty or not be there.

    Returns ``{"project", "files"}``: the paths within it. Raises OutputError.
    """
    place = check_free(folder)
    with refusals_told(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(place, folder=True) as part, as_file(files("weitiao.apps.support") / "example") as example:
            shutil.copytree(example, part, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            (part / ".gitignore").write_text(IGNORED, encoding="utf-8")
            if place.is_dir():
                place.rmdir()
            part.rename(place)
    found = sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())
    return {"project": str(place), "files": found}
