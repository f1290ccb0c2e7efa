"""The exceptions that weitiao raises on purpose.

    WeitiaoError                 everything below; the command line prints it and exits with code 2
    ├── DataError                a table can't be read, or what it holds can't be used
    ├── BaseModelError           a pretrained base is unknown, damaged or out of reach
    ├── RecipeError              settings that are unknown, out of range or contradict each other
    ├── ProjectError             an application's project has faults
    ├── BundleError              a bundle is damaged, unsafe or made for something else
    ├── StoreError               the database of a service can't be opened or used
    ├── ServiceError             a service can't be reached, or refuses a request
    ├── OutputError              a result can't be written where it was asked for
    ├── MissingExtraError        an optional part isn't installed; the message is the pip command
    └── BarMissedError           the work was done, but a stated bar was missed (exit code 1)

A message says what was expected, what came, where, and what to do next.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from weitiao.languages import say


class WeitiaoError(Exception):
    """Base of every error that weitiao raises on purpose."""

    exit_code = 2


class DataError(WeitiaoError):
    """A table can't be read, or what it holds can't be used."""


class BaseModelError(WeitiaoError):
    """A pretrained base is unknown, damaged or out of reach."""


class RecipeError(WeitiaoError):
    """Settings that are unknown, out of range or contradict each other."""


class BundleError(WeitiaoError):
    """A bundle is damaged, unsafe or made for something else."""


class ProjectError(WeitiaoError):
    """An application's project has faults; ``faults`` are all of them, each with its place."""

    def __init__(self, message: str, faults: list[str] | None = None) -> None:
        super().__init__(message)
        self.faults = faults or []


class StoreError(WeitiaoError):
    """The database of a service can't be opened or used."""


class ServiceError(WeitiaoError):
    """A service can't be reached, or refuses a request: ``status`` (HTTP, None without an answer) and ``code``."""

    def __init__(self, message: str, status: int | None = None, code: str = "") -> None:
        super().__init__(message)
        self.status, self.code = status, code


class OutputError(WeitiaoError):
    """A result can't be written where it was asked for."""


class MissingExtraError(WeitiaoError):
    """An optional part isn't installed; the message holds the exact pip command."""


class BarMissedError(WeitiaoError):
    """The work was done, but a stated bar was missed."""

    exit_code = 1


def require(module: str, extra: str) -> ModuleType:
    """Import ``module``, or raise `MissingExtraError` with the pip command that brings it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise MissingExtraError(
            say(
                'This needs {module}, which is not installed. Install it with:\n    pip install "weitiao[{extra}]"',
                module=module,
                extra=extra,
            )
        ) from None
