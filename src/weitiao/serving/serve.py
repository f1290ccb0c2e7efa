"""The verb ``serve``: from bundles and settings to a running server, and back to an empty port."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.errors import OutputError, RecipeError
from weitiao.languages import say
from weitiao.serving.access import is_loopback
from weitiao.serving.models import NAME
from weitiao.serving.settings import PREFIX, ServerSettings, ServiceSettings
from weitiao.settings import resolve
from weitiao.store import Store, open_state
from weitiao.store.keys import Keyring

if TYPE_CHECKING:
    from types import FrameType

    import uvicorn

    from weitiao.serving.served import Served

LAST_SECONDS = 0.2
BACKLOG = 2048
UNREAD_SECONDS = 30  # after which a client that takes none of its answer is given up


def serve(
    bundles: Sequence[str],
    *,
    settings: str | None = None,
    state: str | None = None,
    fresh: bool = False,
    ready: Callable[[dict[str, Any]], None] | None = None,
    **flags: Any,
) -> dict[str, Any]:
    """Serve ``bundles`` (``PATH`` or ``NAME=PATH``; the first one answers where no model is named) until SIGTERM.

    ``settings`` is a TOML file of `ServiceSettings`, ``flags`` overrule it. ``state`` is the folder of what the service
    keeps (default: `machine.state_folder`). ``fresh`` forgets what administration made of the routes. ``ready`` is
    called with url, models and pid once requests are answered.

    Returns url, seconds (up) and requests (answered). Raises `BundleError`, `RecipeError` (settings), `StoreError`,
    `OutputError` (address in use).
    """
    resolved = resolve(ServiceSettings, file=Path(settings) if settings else None, flags=flags, prefix=PREFIX).value
    named = name_bundles(bundles)
    with open_state(state, resolved.database) as store:
        check_keys(resolved, store)
        tls = tls_of(resolved)
        with bound(resolved) as listener:
            allow_files(resolved)
            runner = asyncio.Runner(loop_factory=loop_factory())
            with runner:
                return runner.run(_serve(resolved, store, named, fresh, listener, tls, ready))


async def _serve(
    settings: ServiceSettings,
    store: Store,
    named: Mapping[str, str],
    fresh: bool,
    listener: socket.socket,
    tls: bool,
    ready: Callable[[dict[str, Any]], None] | None,
) -> dict[str, Any]:
    from weitiao.serving import logs
    from weitiao.serving.app import build
    from weitiao.serving.service import Service

    logs.set_up(sys.stderr)
    service = await Service.start(settings, store, named, fresh)
    try:
        models = list(service.models.routes)
        return await attended(service, build(service), listener, tls, ready, models=models)
    finally:
        await service.close()


async def attended(
    service: Served,
    app: Any,
    listener: socket.socket,
    tls: bool,
    ready: Callable[[dict[str, Any]], None] | None,
    **told: Any,
) -> dict[str, Any]:
    """Run ``app`` on ``listener`` until SIGTERM; ``ready`` is called with url, pid, keys and ``told`` once it answers.

    Returns url, seconds and requests.
    """
    host, port = listener.getsockname()[:2]
    url = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
    server = server_of(service, app)
    telling = None
    if ready:
        told = {"url": url, **told, "pid": os.getpid(), "keys": not service.access.open}
        telling = asyncio.ensure_future(_tell_when(server, lambda: ready(told)))
    began = time.monotonic()
    try:
        await server.serve(sockets=[listener])
    finally:
        if telling:
            telling.cancel()
    return {"url": url, "seconds": time.monotonic() - began, "requests": server.server_state.total_requests}


def server_of(service: Served, app: Any) -> uvicorn.Server:
    """uvicorn with our limits; SIGTERM and SIGINT drain it first, a second one ends the draining."""
    import uvicorn

    from weitiao.serving.connection import bounded

    settings = service.settings

    class Server(uvicorn.Server):
        """Between the signal and closing the port it goes on answering, so that load balancers can look away."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            """A signal came."""
            if service.draining:
                self.should_exit, self.force_exit = True, self.should_exit and sig == signal.SIGINT
                return
            service.drain()
            loop.call_soon_threadsafe(loop.call_later, settings.drain_seconds, self._leave)

        def _leave(self) -> None:
            self.should_exit = True

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """Close the port first: a connection that was just accepted gets a moment to bring its request."""
            for server in self.servers:
                server.close()
            await asyncio.sleep(LAST_SECONDS)
            await super().shutdown(sockets)

    loop = asyncio.get_running_loop()
    return Server(
        uvicorn.Config(
            app,
            http=bounded(settings.max_connections),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=max(1, round(settings.shutdown_seconds)),
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
        )
    )


def name_bundles(given: Sequence[str]) -> dict[str, str]:
    """{model: path} of ``PATH`` and ``NAME=PATH``; a path alone lends its last part. Raises `RecipeError`."""
    found: dict[str, str] = {}
    for each in given:
        name, equals, path = each.partition("=")
        if not equals or "/" in name:
            path = each
            name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(path).resolve().name).lstrip("._-")[:64] or "model"
        if not re.fullmatch(NAME, name):
            raise RecipeError(
                say("{name} can't be a model's name: 1 to 64 letters, digits, points, hyphens, underscores.", name=name)
            )
        if name in found:
            raise RecipeError(say("Two bundles have the name {name}. Name them: NAME=BUNDLE", name=name))
        found[name] = path
    if not found:
        raise RecipeError(say("Name at least one bundle to serve."))
    return found


def check_keys(settings: ServerSettings, store: Store, make: str = "weitiao keys add NAME") -> None:
    """Refuse to be open to other machines; ``make`` is the command that makes a key. Raises `RecipeError`."""
    if is_loopback(settings.host):
        return
    if settings.keys is False:
        raise RecipeError(
            say(
                "Without keys only this machine may be served: --host 127.0.0.1. {host} reaches further.",
                host=settings.host,
            )
        )
    if not Keyring(store).any_valid():
        raise RecipeError(
            say(
                "{host} can be reached from other machines, and there is no key that they could show. Make one first:\n"
                "    {make}",
                host=settings.host,
                make=make,
            )
        )


def tls_of(settings: ServerSettings) -> bool:
    """Whether TLS is on; its files are tried here, before anything is loaded. Raises `RecipeError`."""
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise RecipeError(say("TLS needs both files: --tls-cert and --tls-key."))
    if settings.tls_cert is None or settings.tls_key is None:
        return False
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            settings.tls_cert, settings.tls_key, password=_no_password
        )
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise RecipeError(
            say(
                "{cert} and {key} can't be used for TLS: {why}",
                cert=settings.tls_cert,
                key=settings.tls_key,
                why=getattr(error, "reason", None) or error,
            )
        ) from None
    return True


def bound(settings: ServerSettings) -> socket.socket:
    """A socket that has the address; it doesn't listen yet. Raises `OutputError` where it is taken."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; connections inherit it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
        listener.bind(address)
    except OSError as error:
        raise OutputError(
            say(
                "{host} port {port} can't be served on: {why}. Choose another with --port.",
                host=settings.host,
                port=settings.port,
                why=error.strerror,
            )
        ) from None
    return listener


def allow_files(settings: ServerSettings) -> None:
    """Let the process have as many open files as connections may need, as far as the system's hard limit goes."""
    try:
        import resource
    except ImportError:  # Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * settings.max_connections + 1024  # connections that are being ended still count
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def _tell_when(server: uvicorn.Server, tell: Callable[[], None]) -> None:
    while not server.started:
        await asyncio.sleep(0.01)
    tell()


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where there is one."""
    try:
        import uvloop
    except ImportError:  # Windows
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _no_password() -> str:
    raise ValueError(say("the key is protected by a password; write it without one"))
