"""The argument that every verb of ``weitiao support`` takes."""

from __future__ import annotations

from typing import Annotated

import typer

from weitiao.languages import say

Folder = Annotated[str, typer.Argument(metavar="FOLDER", help=say("A support project."))]
