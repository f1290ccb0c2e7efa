"""``weitiao support …``: customer service, one file per verb."""

from __future__ import annotations

import typer

from weitiao.cli.support import forget, train
from weitiao.languages import say

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.command("train", help=say("Learn a project's intents from its examples."))(train.command)
app.command("forget", help=say("Delete one customer's conversations, or old ones, and what was learned from them."))(
    forget.command
)
