"""weitiao (微调): tune a pretrained model on your own labelled examples, and run it on the machines you have.

Every verb of the command line is a function of the same name and arguments here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_WHERE = {
    "Bundle": "weitiao.bundle",
    "Client": "weitiao.client",
    "Engine": "weitiao.runtime",
    "Prediction": "weitiao.types",
    "Recipe": "weitiao.tuning.recipe",
    "ServiceError": "weitiao.errors",
    "WeitiaoError": "weitiao.errors",
    "bases": "weitiao.tuning.bases",
    "check": "weitiao.tuning.check",
    "check_support": "weitiao.apps.support.compose.check",
    "compress": "weitiao.compression.compress",
    "demo": "weitiao.journey",
    "doctor": "weitiao.diagnosis.doctor",
    "evaluate": "weitiao.evaluation.evaluate",
    "explain": "weitiao.evaluation.explain",
    "group_questions": "weitiao.apps.support.learning.groups",
    "ladder": "weitiao.plans.ladder",
    "open_encoder": "weitiao.runtime.encoder",
    "open_engine": "weitiao.runtime",
    "open_intents": "weitiao.apps.support.intents",
    "open_index": "weitiao.index",
    "open_store": "weitiao.store",
    "predict": "weitiao.runtime.predict",
    "serve": "weitiao.serving.serve",
    "train_intents": "weitiao.apps.support.intents",
    "tune": "weitiao.tuning.tune",
}
_ROOMS = {
    "alerts": "weitiao.alerts",
    "bundle": "weitiao.bundle",
    "privacy": "weitiao.privacy",
    "rejection": "weitiao.evaluation.rejection",
    "runs": "weitiao.store.runs",
}
__all__ = sorted([*_WHERE, *_ROOMS])

if TYPE_CHECKING:
    from weitiao import alerts, bundle, privacy
    from weitiao.apps.support.compose.check import check_support
    from weitiao.apps.support.intents import open_intents, train_intents
    from weitiao.apps.support.learning.groups import group_questions
    from weitiao.bundle import Bundle
    from weitiao.client import Client
    from weitiao.compression.compress import compress
    from weitiao.diagnosis.doctor import doctor
    from weitiao.errors import ServiceError, WeitiaoError
    from weitiao.evaluation import rejection
    from weitiao.evaluation.evaluate import evaluate
    from weitiao.evaluation.explain import explain
    from weitiao.index import open_index
    from weitiao.journey import demo
    from weitiao.plans.ladder import ladder
    from weitiao.runtime import Engine, open_engine
    from weitiao.runtime.encoder import open_encoder
    from weitiao.runtime.predict import predict
    from weitiao.serving.serve import serve
    from weitiao.store import open_store, runs
    from weitiao.tuning.bases import bases
    from weitiao.tuning.check import check
    from weitiao.tuning.recipe import Recipe
    from weitiao.tuning.tune import tune
    from weitiao.types import Prediction


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that ``import weitiao`` stays quick."""
    if name in _ROOMS:
        return import_module(_ROOMS[name])
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'weitiao' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
