"""Virtual time, for every module of the product at once."""

import datetime as real
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Self
from unittest.mock import patch

MIDNIGHT = real.datetime(2026, 3, 2, tzinfo=real.UTC)
"""A Monday."""


class Clock:
    """The current virtual time."""

    def __init__(self, now: real.datetime = MIDNIGHT) -> None:
        self.now = now
        self.skew = real.timedelta()
        """By how much the clock of the functions is ahead of AWS's."""

    def advance(self, seconds: float) -> None:
        """Advances the time by this much."""
        self.now += real.timedelta(seconds=seconds)

    def advance_to(self, time: real.datetime) -> None:
        """Advances to this time, unless it has passed."""
        self.now = max(self.now, time)

    @contextmanager
    def installed(self) -> Generator[None]:
        """Makes it the clock of all loaded modules of `handlers`."""
        clock = self

        class Datetime(real.datetime):
            @classmethod
            def now(cls, tz: real.tzinfo | None = None) -> Self:
                return cls.fromtimestamp((clock.now + clock.skew).timestamp(), tz)

        modules = [module for module in _modules() if getattr(module, "datetime", None) is real.datetime]
        patches = [patch.object(module, "datetime", Datetime) for module in modules]
        for patcher in patches:
            patcher.start()
        try:
            yield
        finally:
            for patcher in patches:
                patcher.stop()


def _modules() -> list[ModuleType]:
    return [module for name, module in sys.modules.items() if name.startswith("handlers.")]


def stamp(time: real.datetime) -> str:
    """The format of a time in AWS's events: to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp_of_execution(time: real.datetime) -> str:
    """The format of a start time in Step Functions: to the millisecond."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03}Z"
