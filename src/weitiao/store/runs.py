"""The registry of runs: what was tuned from what, how well it does, and which run of a model is in force.

Bundles stay where they are; the registry holds their paths and digests. It can't open one, so whoever promotes hands
over ``verify(path, digest)``, as `weitiao.bundle.verify` is: what isn't whole on disk isn't put in force.
"""

from __future__ import annotations

import math
import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.errors import StoreError
from weitiao.languages import say
from weitiao.store import audit
from weitiao.store.fitted import fitted

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from weitiao.store.database import Store
    from weitiao.store.tables import Promotion, Run

STAGES = ("staging", "production")
STATUSES = ("running", "finished", "failed", "interrupted", "killed")
BEAT_SECONDS = 60.0  # between a running run's signs of life
STALE_SECONDS = 10 * BEAT_SECONDS  # without one, after which it is taken for killed
LOWER_IS_BETTER = frozenset({"ece", "loss", "mean_absolute_error"})
_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"  # none that is easily taken for another
_SHOWN_DIGITS = 6  # of a fingerprint or digest, enough to mean one

Verify = Callable[[str, str], object]


def begin(store: Store, **known: Any) -> str:
    """Write down that a run begins; returns its id, such as 261122-k3f9ab. ``known`` are columns of `tables.Run`."""
    from weitiao.store.tables import Run

    now = time.time()
    with store.write() as session:
        while session.get(Run, name := _new_id(now)) is not None:
            continue
        row: dict[str, Any] = {"status": "running", "started_at": now, "seen_at": now, "kind": "tune"}
        row |= {"host": socket.gethostname(), "process": os.getpid()}
        session.add(Run(id=name, **row | fitted(known)))
    return name


def change(store: Store, run: str, **known: Any) -> None:
    """Write down what has become known of the run with the id ``run``; without anything, that it lives."""
    from sqlalchemy import update

    from weitiao.store.tables import Run

    with store.write() as session:
        session.execute(update(Run).where(Run.id == run).values(seen_at=time.time(), **fitted(known)))


def add(store: Store, **known: Any) -> dict[str, Any]:
    """The run of a bundle that was made without the registry (``known`` as for `begin`, with its ``digest``).

    Where a run has that digest already, only its place, ``bundle``, is brought up to date.
    """
    from sqlalchemy import select

    from weitiao.store.tables import Run

    with store.read() as session:
        there = session.scalars(select(Run).where(Run.digest == known["digest"]).order_by(Run.started_at)).first()
    if there:
        change(store, there.id, bundle=known["bundle"], host=socket.gethostname())
        return one(store, there.id)
    ended = known.get("ended_at") or time.time()
    made = {"kind": "added", "status": "finished", "ended_at": ended, "started_at": ended - (known.get("seconds") or 0)}
    return one(store, begin(store, **made | known))


def listed(
    store: Store,
    *,
    name: str | None = None,
    data: str | None = None,
    base: str | None = None,
    stage: str | None = None,
    status: str | None = None,
    sort: str | None = None,
) -> list[dict[str, Any]]:
    """Runs, newest first, or best first by the metric ``sort``; those without it come last.

    ``data`` is a table's path or file name, or the beginning of its fingerprint. Raises `StoreError` for a metric that
    no run has, and for an unknown stage or status.
    """
    from sqlalchemy import select

    from weitiao.store.tables import Run

    if stage is not None:
        _require_stage(stage)
    if status is not None and status not in STATUSES:
        raise StoreError(say("Statuses are {known}; {given} came.", known=", ".join(STATUSES), given=status))
    query = select(Run).order_by(Run.started_at.desc(), Run.id)
    if base is not None:
        query = query.where(Run.base == base)
    with store.read() as session:
        rows = session.scalars(query).all()
        stages = _stages(session)
    found = [_described(row, stages) for row in rows]
    if name is not None:  # promoted as another model, a run is one of that model's as well
        found = [run for run in found if name in (run["name"], *(each["name"] for each in run["stages"]))]
    if stage is not None:
        found = [run for run in found if stage in (each["stage"] for each in run["stages"])]
    if status is not None:
        found = [run for run in found if run["status"] == status]
    if data is not None:
        found = [run for run in found if _is_of(run, data)]
    if sort is not None and found:
        known = sorted({metric for run in found for metric in run["metrics"]})
        if sort not in known:
            raise StoreError(
                say("No run has the metric {metric}; there are: {known}", metric=sort, known=", ".join(known))
            )
        sign = 1 if sort in LOWER_IS_BETTER else -1
        found.sort(key=lambda run: sign * run["metrics"].get(sort, math.inf * sign))
    return found


def one(store: Store, named: str) -> dict[str, Any]:
    """The run that ``named`` means: an id or a digest, the beginning of one, or the folder of its bundle.

    ``stages`` says where it is in force: name, stage, at, actor. Raises `StoreError` where none or several are meant.
    """
    with store.read() as session:
        return _described(_find(session, named), _stages(session))


def compare(store: Store, named: Sequence[str]) -> dict[str, Any]:
    """Runs side by side; every list has one place a run.

    ``recipe`` holds the settings in which they differ, ``metrics`` value, low and high of each (None where it has
    none), ``same_data`` whether they learned from the same table, ``same_test`` whether they were measured on the same
    rows: only then do their figures compare.
    """
    found = [one(store, each) for each in named]
    if len(found) < 2:
        raise StoreError(say("Comparing takes two runs or more; {count} came.", count=len(found)))
    recipes = [run["recipe"] | {"base_sha256": run["base_sha256"], "weitiao": run["weitiao"]} for run in found]
    settings = sorted({setting for recipe in recipes for setting in recipe})
    side_by_side = {setting: [recipe.get(setting) for recipe in recipes] for setting in settings}
    metrics = dict.fromkeys(metric for run in found for metric in run["metrics"])
    return {
        "runs": [run["id"] for run in found],
        "names": [run["name"] for run in found],
        "bundles": [run["bundle"] for run in found],
        "recipe": {setting: values for setting, values in side_by_side.items() if _differ(values)},
        "metrics": {metric: [_figure(run, metric) for run in found] for metric in metrics},
        "same_data": not _differ([run["data_fingerprint"] for run in found]),
        "same_test": not _differ([_test_rows(run) for run in found]),
    }


def promote(
    store: Store, named: str, to: str, *, verify: Verify, name: str | None = None, actor: str | None = None
) -> dict[str, Any]:
    """Put the run ``named`` in force at the stage ``to`` of the model ``name`` (default: the run's), as `which` says.

    What was in force there ends with it. Raises `StoreError` for an unknown stage or run and for a run without a
    bundle, and whatever ``verify`` raises. Nothing happens where it is in force already.
    """
    _require_stage(to)
    run = one(store, named)
    model, actor = fitted({"name": name or run["name"]})["name"], actor or audit.whoami()
    if run["bundle"] is None or run["digest"] is None:
        raise StoreError(
            say("Run {run} ({status}) has no bundle that could be promoted.", run=run["id"], status=run["status"])
        )
    verify(run["bundle"], run["digest"])
    with store.write() as session:
        _alone(session)
        current = _in_force(session, model, to)
        if current is None or current.run_id != run["id"]:
            _put_in_force(session, model, to, run["id"], current, current.id if current else None, actor, "promoted")
    return which(store, model, to)


def roll_back(
    store: Store, name: str, stage: str = "production", *, verify: Verify, actor: str | None = None
) -> dict[str, Any]:
    """Put what was in force before back in force, as `which` says; again, what was before that.

    Raises `StoreError` where nothing was, and whatever ``verify`` raises of the bundle that would be in force.
    """
    from weitiao.store.tables import Promotion, Run

    _require_stage(stage)
    with store.read() as session:
        current = _in_force(session, name, stage)
        before = session.get(Promotion, current.replaced) if current and current.replaced else None
        if current is None or before is None:
            raise StoreError(
                say("Model {name} has nothing to roll back to: no run was in {stage} before.", name=name, stage=stage)
            )
        run = session.get_one(Run, before.run_id)
    assert run.bundle is not None
    assert run.digest is not None
    verify(run.bundle, run.digest)
    with store.write() as session:
        _alone(session)
        still = _in_force(session, name, stage)
        if still is None or still.id != current.id:
            raise StoreError(say("Somebody else has just changed what is in {stage}; look again.", stage=stage))
        _put_in_force(session, name, stage, run.id, still, before.replaced, actor or audit.whoami(), "rolled back")
    return which(store, name, stage)


def which(store: Store, name: str, stage: str = "production") -> dict[str, Any]:
    """What is in force: name, stage, run, bundle, digest, at, actor. `StoreError` where nothing is.

    The bundle isn't looked at: open it with its digest, `weitiao.Bundle.open(found["bundle"], found["digest"])`.
    """
    from weitiao.store.tables import Run

    _require_stage(stage)
    with store.read() as session:
        current = _in_force(session, name, stage)
        if current is None:
            raise StoreError(
                say(
                    "Model {name} has no run in {stage}. Put one there: weitiao runs promote RUN --to {stage}",
                    name=name,
                    stage=stage,
                )
            )
        run = session.get_one(Run, current.run_id)
    found = {"name": name, "stage": stage, "run": run.id, "bundle": run.bundle, "digest": run.digest}
    return found | {"at": current.at, "actor": current.actor}


def history(store: Store, name: str | None = None) -> list[dict[str, Any]]:
    """Every promotion, newest first: name, stage, run, at, actor, ended_at (None: in force)."""
    from sqlalchemy import select

    from weitiao.store.tables import Promotion

    query = select(Promotion).order_by(Promotion.id.desc())
    with store.read() as session:
        rows = session.scalars(query if name is None else query.where(Promotion.name == name)).all()
    return [
        {"name": row.name, "stage": row.stage, "run": row.run_id, "at": row.at, "actor": row.actor}
        | {"ended_at": row.ended_at}
        for row in rows
    ]


def _new_id(now: float) -> str:
    return time.strftime("%y%m%d-", time.gmtime(now)) + "".join(secrets.choice(_LETTERS) for _ in range(6))


def _find(session: Session, named: str) -> Run:
    from sqlalchemy import or_, select

    from weitiao.store.tables import Run

    if exact := session.get(Run, named):
        return exact
    if os.path.isdir(named):  # what lay there before is there no longer
        place = select(Run).where(Run.bundle == os.path.realpath(named)).order_by(Run.started_at.desc())
        if newest := session.scalars(place).first():
            return newest
    begins = [Run.id.startswith(named, autoescape=True)]
    if len(named) >= _SHOWN_DIGITS:
        begins.append(Run.digest.startswith(named.lower(), autoescape=True))
    found = session.scalars(select(Run).where(or_(*begins)).limit(2)).all() if named else []
    if len(found) != 1:
        raise StoreError(
            say("{named} names no run. See them: weitiao runs list", named=named)
            if not found
            else say("{named} begins the ids or digests of several runs; write more of it.", named=named)
        )
    return found[0]


def _stages(session: Session) -> dict[str, list[dict[str, Any]]]:
    """Where runs are in force, by their ids."""
    from sqlalchemy import select

    from weitiao.store.tables import Promotion

    found: dict[str, list[dict[str, Any]]] = {}
    for row in session.scalars(select(Promotion).where(Promotion.ended_at.is_(None)).order_by(Promotion.id)):
        at = {"name": row.name, "stage": row.stage, "at": row.at, "actor": row.actor}
        found.setdefault(row.run_id, []).append(at)
    return found


def _described(run: Run, stages: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    found = {column.name: getattr(run, column.name) for column in run.__table__.columns if column.name != "process"}
    return found | {"status": "killed" if _is_killed(run) else run.status, "stages": stages.get(run.id, [])}


def _is_killed(run: Run) -> bool:
    """Whether a run that never said that it ended can't be running any more."""
    if run.status != "running":
        return False
    if time.time() - run.seen_at > STALE_SECONDS:
        return True
    if run.host != socket.gethostname():
        return False
    import psutil

    try:
        return psutil.Process(run.process).status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def _is_of(run: dict[str, Any], data: str) -> bool:
    source, fingerprint = run["data_source"] or "", run["data_fingerprint"] or ""
    if len(data) >= _SHOWN_DIGITS and fingerprint.startswith(data.lower()):
        return True
    return bool(source) and (source in (data, os.path.abspath(data)) or data == Path(source).name)


def _differ(values: Sequence[Any]) -> bool:
    return any(value != values[0] for value in values)


def _figure(run: dict[str, Any], metric: str) -> dict[str, float] | None:
    value = run["metrics"].get(metric)
    interval = run["intervals"].get(metric, {})
    return None if value is None else {"value": value, "low": interval.get("low"), "high": interval.get("high")}


def _test_rows(run: dict[str, Any]) -> Any:
    """What decides which rows a run was measured on."""
    data = run["data"]
    if held := data.get("held", {}).get("test"):
        return held
    split, read = data.get("split", {}), ("measured_on", "text_column", "label_column", "columns")
    drawn = (split.get(key) for key in ("test", "seed", "test_share", "group", "time"))
    return run["data_fingerprint"], *(data.get(key) for key in read), *drawn


def _require_stage(stage: str) -> None:
    if stage not in STAGES:
        raise StoreError(say("Stages are {known}; {given} came.", known=", ".join(STAGES), given=stage))


def _alone(session: Session) -> None:
    """Nobody else promotes until this transaction ends (in SQLite it is alone as it is)."""
    from sqlalchemy import text

    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE promotions IN SHARE ROW EXCLUSIVE MODE"))


def _in_force(session: Session, name: str, stage: str) -> Promotion | None:
    from sqlalchemy import select

    from weitiao.store.tables import Promotion

    return session.scalars(
        select(Promotion).where(Promotion.name == name, Promotion.stage == stage, Promotion.ended_at.is_(None))
    ).one_or_none()


def _put_in_force(
    session: Session,
    name: str,
    stage: str,
    run: str,
    current: Promotion | None,
    replaced: int | None,
    actor: str,
    action: str,
) -> None:
    from weitiao.store.tables import Promotion

    now = time.time()
    if current:
        current.ended_at = now
        session.flush()  # before the next is there: one at most is in force
    session.add(Promotion(name=name, stage=stage, run_id=run, at=now, actor=actor[:200], replaced=replaced))
    details: dict[str, object] = {"model": name, "stage": stage, "instead_of": current.run_id if current else None}
    session.add(audit.entry(actor, f"run {action}", run, details=details))
