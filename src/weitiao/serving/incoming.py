"""What comes in with a request, read within its limits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect

from weitiao.data.values import text_of
from weitiao.languages import say
from weitiao.serving.body import FAULTS_SHOWN
from weitiao.serving.refusal import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

    from weitiao.serving.served import Served
    from weitiao.serving.service import Service


async def json_of(request: Request, service: Served) -> bytes:
    """The whole body of a request that must say it is JSON. Raises `Refusal` 400, 408, 413, 415."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "content_type", say("Send JSON, with Content-Type: application/json."))
    return await body_of(request, service)


async def body_of(request: Request, service: Served) -> bytes:
    """The whole body, within its size and time. Raises `Refusal` 400, 408, 413."""
    most = service.settings.max_body_bytes
    too_large = Refusal(413, "too_large", say("The request has more than {most} bytes.", most=most))
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(service.settings.body_seconds):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        raise Refusal(408, "slow", say("The request did not arrive whole in time.")) from None
    except ClientDisconnect:
        raise Refusal(400, "gone", say("The request broke off.")) from None
    return b"".join(parts)


def usable(texts: list[dict[str, str]], where: str, service: Service, task: Any) -> list[dict[str, str]]:
    """The inputs, each by role, as the engine is to read them for ``task``. Raises `Refusal` 422 for too many, too
    long, empty, one too few or too many.
    """
    settings = service.settings
    if len(texts) > settings.max_texts:
        raise Refusal(
            422,
            "too_many_texts",
            say("{count} texts came; at most {most} are taken.", count=len(texts), most=settings.max_texts),
        )
    found: list[dict[str, str]] = []
    faults = []
    for number, inputs in enumerate(texts):
        place = f"{where}.{number}"
        if inputs.keys() != set(task.INPUTS):
            problem = say(
                "this model reads {inputs}: an item has these and nothing else beside its id",
                inputs=", ".join(task.INPUTS),
            )
            faults.append({"where": place, "problem": problem})
            continue
        found.append({})
        for role, text in inputs.items():
            found[-1][role], problem = text_of(text, whole=task.BY_TOKEN)
            if len(text) > settings.max_characters:
                problem = say("the text is longer than {limit:,} characters", limit=settings.max_characters)
            if problem:
                faults.append({"where": place + ("" if where == "texts" else f".{role}"), "problem": problem})
    if faults:
        raise Refusal(
            422,
            "invalid",
            say("The request can't be used: {count} fault(s), see the details.", count=len(faults)),
            details=faults[:FAULTS_SHOWN],
        )
    return found
