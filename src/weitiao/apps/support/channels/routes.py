"""The channels' routes in a running server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fastapi import Request, Response

from weitiao.apps.support.channels.channel import Channel, ForgedError, Greeting, Incoming
from weitiao.apps.support.channels.claims import claim
from weitiao.apps.support.channels.outbox import Outbox
from weitiao.languages import say
from weitiao.serving.incoming import body_of
from weitiao.serving.refusal import Refusal

if TYPE_CHECKING:
    from fastapi import FastAPI

    from weitiao.apps.support.server.service import SupportService

PATH = "/channels/"


def add_channels(app: FastAPI, service: SupportService) -> None:
    """A route for each channel that the project's settings name, and what hands on the answers."""
    settings = service.bot.project.settings
    channels = settings.channels.opened()
    if not channels and not settings.desk:
        return
    outbox = Outbox(service.store, channels, settings.desk)
    service.beside(outbox.run())
    for name, channel in channels.items():
        _add(app, service, name, channel, outbox)


def _add(app: FastAPI, service: SupportService, name: str, channel: Channel, outbox: Outbox) -> None:
    @app.api_route(PATH + name, methods=list(channel.METHODS), include_in_schema=False)
    async def receive(request: Request) -> Response:
        body = await body_of(request, service)
        headers, query = dict(request.headers), dict(request.query_params)
        try:
            found = channel.receive(Incoming(time.time(), body, headers, query))
        except ForgedError:
            raise _forged() from None
        if isinstance(found, Greeting):
            return Response(found.content, media_type=found.media_type)
        if found:
            service.rates.count("channel", f"{name} {found.customer}", service.settings.messages_per_minute)
            try:
                conversation = await service.work(claim, service.store, name, found)
            except ForgedError:
                raise _forged() from None
            text = found.text.encode(errors="replace").decode()[: service.settings.longest]
            await service.turn(conversation, text, found.given_id)
            outbox.wake()
        return Response("")


def _forged() -> Refusal:
    return Refusal(403, "forged", say("The request isn't signed as it should be, or comes too late."))
