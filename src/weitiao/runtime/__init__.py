"""Running a bundle: engines that answer batches, in input order, and `predict` from file to file."""

from weitiao.runtime.engine import ENGINES, Engine, open_engine
from weitiao.runtime.predict import predict

__all__ = ["ENGINES", "Engine", "open_engine", "predict"]
