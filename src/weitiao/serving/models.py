"""The models that are served: versions of bundles by name, and which share of the requests each answers."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from weitiao.bundle import Bundle
from weitiao.errors import BundleError, MissingExtraError, StoreError
from weitiao.languages import say
from weitiao.runtime.engine import Engine, open_engine
from weitiao.serving.batcher import Batcher
from weitiao.serving.refusal import Refusal
from weitiao.serving.settings import ServiceSettings

if TYPE_CHECKING:
    from weitiao.store import Store

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
KEPT = 2  # versions without requests that stay loaded, so that going back is immediate
WARM_UP = ("a", "一个用来预热的句子，长短适中。", "warm " * 200)


class Source(BaseModel):
    """Where a version came from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    digest: str


class Routes(BaseModel):
    """Who answers a model's requests: ``percent`` by version adds up to 100; versions in ``shadow`` answer unheard."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    percent: dict[str, Annotated[float, Field(ge=0, le=100)]] = Field(min_length=1, max_length=100)
    shadow: list[str] = Field(default=[], max_length=10)


class Deployed(BaseModel):
    """A model's routes as the database keeps them, with what is needed to load them again after a restart."""

    routes: Routes
    versions: dict[str, Source]
    started_with: str  # digest of the bundle that the command line named


@dataclass(eq=False, slots=True)
class Version:
    """One loaded bundle and its batcher."""

    model: str
    name: str
    engine: Engine
    batcher: Batcher
    loaded_at: float

    @property
    def bundle(self) -> Bundle:
        """What it was loaded from."""
        return self.engine.bundle

    @property
    def source(self) -> Source:
        """How to load it again."""
        return Source(path=str(self.bundle.path.absolute()), digest=self.bundle.digest)


Chosen = tuple[Version, list[Version]]  # who answers a request, and who shadows it


class Models:
    """All models of one service. Its coroutines run in the service's event loop; changes happen one at a time."""

    def __init__(self, settings: ServiceSettings, store: Store, watch: Callable[[Version, int, float], None]) -> None:
        self.default = ""
        self.versions: dict[str, dict[str, Version]] = {}
        self.routes: dict[str, Routes] = {}
        self._settings, self._store, self._watch = settings, store, watch
        self._started_with: dict[str, str] = {}
        self._allowed = [folder.resolve() for folder in settings.bundle_folders]
        self._change = asyncio.Lock()

    async def start(self, named: Mapping[str, str], fresh: bool = False) -> None:
        """Load the bundles that the command line names, or what administration made of them since.

        The command line is obeyed when it names another bundle than last time, and with ``fresh``.
        """
        for model, path in named.items():
            self.default = self.default or model
            self._allowed.append(Path(path).resolve().parent)
            bundle = await asyncio.to_thread(Bundle.open, path)
            self._started_with[model] = bundle.digest
            last = None if fresh else self._last(model)
            if last and last.started_with == bundle.digest:
                for version, source in last.versions.items():
                    await self._load(model, version, source.path, source.digest)
                self.routes[model] = last.routes
            else:
                version = short(bundle.digest)
                await self._load(model, version, path, bundle.digest)
                self._set(model, Routes(percent={version: 100}))

    def choose(self, model: str | None) -> Chosen:
        """The version that answers this request, and those that shadow it. Raises `Refusal` for an unknown model."""
        name = model or self.default
        routes = self.routes.get(name)
        if not routes:
            raise Refusal(404, "unknown_model", say("There is no model of this name."))
        loaded = self.versions[name]
        shares = [(version, share) for version, share in routes.percent.items() if share]
        if len(shares) == 1:
            chosen = shares[0][0]
        else:
            chosen = random.choices([version for version, _ in shares], [share for _, share in shares])[0]
        return loaded[chosen], [loaded[version] for version in routes.shadow]

    async def load(self, model: str, path: str, version: str | None = None) -> Version:
        """Load one more version of ``model`` (or the first of a new model); it answers nothing yet."""
        if not re.fullmatch(NAME, model) or not (version is None or re.fullmatch(NAME, version)):
            raise Refusal(422, "bad_name", say("A name has 1 to 64 letters, digits, points, hyphens and underscores."))
        try:
            folder = Path(path).resolve()
        except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL: it lies nowhere
            folder = Path("/")
        if not any(folder != root and folder.is_relative_to(root) for root in self._allowed):
            raise Refusal(403, "folder", say("The bundle doesn't lie in a folder that this service may load from."))
        async with self._change:
            try:
                bundle = await asyncio.to_thread(Bundle.open, folder)
                name = version or short(bundle.digest)
                if present := self.versions.get(model, {}).get(name):
                    if present.bundle.digest == bundle.digest:
                        return present
                    raise Refusal(409, "version_exists", say("Another bundle has this version's name already."))
                loaded = await self._load(model, name, str(folder), bundle.digest)
            except (BundleError, MissingExtraError) as error:
                raise Refusal(422, "bundle", str(error)) from None
            if model not in self.routes:
                self._started_with[model] = bundle.digest
                self._set(model, Routes(percent={name: 100}))
            return loaded

    async def route(self, model: str, routes: Routes) -> None:
        """Send a model's requests along ``routes`` from now on; requests that are under way end where they are."""
        async with self._change:
            loaded = self.versions.get(model)
            if not loaded:
                raise Refusal(404, "unknown_model", say("There is no model of this name."))
            if unknown := sorted({*routes.percent, *routes.shadow} - set(loaded)):
                raise Refusal(
                    404, "unknown_version", say("These versions aren't loaded: {versions}", versions=", ".join(unknown))
                )
            total = sum(routes.percent.values())
            if abs(total - 100) > 0.01:
                raise Refusal(422, "percent", say("The percentages add up to {total}, not to 100.", total=f"{total:g}"))
            self._set(model, routes)
            await self._unload_idle(model)

    async def roll_back(self, model: str) -> Routes:
        """Go back to the routes before the present ones; going back twice is going forward again."""
        async with self._change:
            before = self._last(model, skip=1)
            if model not in self.versions or not before:
                raise Refusal(409, "nothing_before", say("There is nothing to go back to."))
            for version, source in before.versions.items():
                present = self.versions[model].get(version)
                if present and present.bundle.digest != source.digest:
                    raise Refusal(409, "version_exists", say("Another bundle has this version's name already."))
                if not present:
                    try:
                        await self._load(model, version, source.path, source.digest)
                    except (BundleError, MissingExtraError) as error:
                        raise Refusal(409, "bundle", str(error)) from None
            self._set(model, before.routes)
            await self._unload_idle(model)
            return before.routes

    async def close(self) -> None:
        """Finish what was accepted and let go of every engine."""
        batchers = [version.batcher for loaded in self.versions.values() for version in loaded.values()]
        await asyncio.gather(*(asyncio.to_thread(batcher.close) for batcher in batchers))

    async def _load(self, model: str, name: str, path: str, digest: str) -> Version:
        def opened() -> Engine:
            engine = open_engine(path, digest, self._settings.threads)
            for text in WARM_UP:
                engine.predict([dict.fromkeys(engine.task.INPUTS, text)])
            return engine

        engine = await asyncio.to_thread(opened)
        batcher = Batcher(
            engine.predict,
            batch_texts=self._settings.batch_texts,
            wait=self._settings.wait_ms / 1000,
            queue_texts=self._settings.queue_texts,
            watch=lambda texts, seconds: self._watch(version, texts, seconds),
        )
        version = Version(model, name, engine, batcher, time.time())
        self.versions.setdefault(model, {})[name] = version
        return version

    async def _unload_idle(self, model: str) -> None:
        used = {*self.routes[model].percent, *self.routes[model].shadow}
        idle = [version for name, version in self.versions[model].items() if name not in used]
        for version in sorted(idle, key=lambda version: version.loaded_at)[:-KEPT]:
            del self.versions[model][version.name]
            await asyncio.to_thread(version.batcher.close)

    def _set(self, model: str, routes: Routes) -> None:
        from weitiao.store.tables import Deployment

        kept = {name: self.versions[model][name].source for name in {*routes.percent, *routes.shadow}}
        deployed = Deployed(routes=routes, versions=kept, started_with=self._started_with[model])
        with self._store.write() as session:
            session.add(Deployment(model=model, at=time.time(), routes=deployed.model_dump(mode="json")))
        self.routes[model] = routes

    def _last(self, model: str, skip: int = 0) -> Deployed | None:
        from pydantic import ValidationError
        from sqlalchemy import select

        from weitiao.store.tables import Deployment

        query = select(Deployment).where(Deployment.model == model).order_by(Deployment.id.desc())
        with self._store.read() as session:
            found = session.scalars(query.offset(skip).limit(1)).first()
        try:
            return Deployed.model_validate(found.routes) if found else None
        except ValidationError:
            raise StoreError(
                say(
                    "{url} holds routes of {model} that can't be read. Start with --fresh.",
                    url=self._store.url,
                    model=model,
                )
            ) from None

    def describe(self) -> list[dict[str, Any]]:
        """Every model with its versions and routes, for people and programs."""
        return [
            {
                "name": model,
                "default": model == self.default,
                "routes": self.routes[model].model_dump(),
                "versions": [
                    {
                        "version": version.name,
                        "digest": version.bundle.digest,
                        "engine": version.bundle.info.engine,
                        "precision": version.bundle.info.precision,
                        "task": version.bundle.info.task,
                        "labels": version.engine.labels,
                        "loaded_at": version.loaded_at,
                        "queued_texts": version.batcher.queued,
                    }
                    for version in loaded.values()
                ],
            }
            for model, loaded in self.versions.items()
            if model in self.routes
        ]


def short(digest: str) -> str:
    """The version's name where nobody gave one."""
    return digest[:12]
