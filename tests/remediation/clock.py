"""Time that passes when the test says so, in every module of the product at once."""

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
    """What time it is."""

    def __init__(self, now: real.datetime = MIDNIGHT) -> None:
        self.now = now
        self.skew = real.timedelta()
        """By how much the clock of the functions is ahead of AWS's."""

    def pass_by(self, seconds: float) -> None:
        """Lets this much time pass."""
        self.now += real.timedelta(seconds=seconds)

    def until(self, moment: real.datetime) -> None:
        """Lets time pass until this moment, unless it is over."""
        self.now = max(self.now, moment)

    @contextmanager
    def rules(self) -> Generator[None]:
        """Makes it the clock of all modules of `handlers` that were loaded."""
        clock = self

        class Datetime(real.datetime):
            @classmethod
            def now(cls, tz: real.tzinfo | None = None) -> Self:
                return cls.fromtimestamp((clock.now + clock.skew).timestamp(), tz)

        modules = [each for each in _modules() if getattr(each, "datetime", None) is real.datetime]
        patches = [patch.object(module, "datetime", Datetime) for module in modules]
        for one in patches:
            one.start()
        try:
            yield
        finally:
            for one in patches:
                one.stop()


def _modules() -> list[ModuleType]:
    return [module for name, module in sys.modules.items() if name.startswith("handlers.")]


def stamp(moment: real.datetime) -> str:
    """As AWS writes a moment in an event: to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp_of_execution(moment: real.datetime) -> str:
    """As Step Functions writes when an execution started: to the millisecond."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
