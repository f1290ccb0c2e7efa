"""Where customers write from: one file each, all of one shape, behind signatures."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from weitiao.apps.support.channels.channel import Channel
from weitiao.apps.support.channels.dingtalk import Dingtalk
from weitiao.apps.support.channels.feishu import Feishu
from weitiao.apps.support.channels.telegram import Telegram
from weitiao.apps.support.channels.webhook import Webhook
from weitiao.apps.support.channels.wecom import Wecom

__all__ = ["Channels", "Webhook"]


class Channels(BaseModel):
    """The part ``[channels]`` of support.toml: a channel is open where it is named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dingtalk: Dingtalk | None = None
    feishu: Feishu | None = None
    telegram: Telegram | None = None
    webhook: Webhook | None = None
    wecom: Wecom | None = None

    def opened(self) -> dict[str, Channel]:
        """The channels that are set, by name."""
        return {name: channel for name, channel in self if channel}
