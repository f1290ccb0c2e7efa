"""``weitiao support …``: customer service, one file per verb."""

from __future__ import annotations

import typer

from weitiao.cli.support import (
    accept,
    chat,
    check,
    demo,
    forget,
    inbox,
    mine,
    new,
    report,
    rollback,
    serve,
    test,
    train,
)
from weitiao.languages import say

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.command("new", help=say("Write an example project, to be made your own."))(new.command)
app.command("check", help=say("Tell every fault of a project at once."))(check.command)
app.command("train", help=say("Learn a project's intents from its examples; writes a report."))(train.command)
app.command("test", help=say("Play a project's written conversations."))(test.command)
app.command("chat", help=say("Talk to a project's bot."))(chat.command)
app.command("serve", help=say("Answer customers over HTTP: chat page, widget, colleagues' page."))(serve.command)
app.command("forget", help=say("Delete one customer's conversations, or old ones, and what was learned from them."))(
    forget.command
)
app.command("demo", help=say("The whole way on the example shop, in a minute."))(demo.command)
app.command("mine", help=say("Propose intents and answers from past conversations."))(mine.command)
app.command("inbox", help=say("Group what the bot couldn't answer, as proposals."))(inbox.command)
app.command("accept", help=say("Add accepted proposals, unless what was known suffers."))(accept.command)
app.command("rollback", help=say("Go back to the model and the intents before."))(rollback.command)
app.command("report", help=say("How a week went: answered, handed over, wrong, by channel and hour."))(report.command)
