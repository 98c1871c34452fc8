"""What a rule finds: the problem, how to fix it, and which part of a resource it is about."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Finding:
    """One problem of one resource."""

    problem: str
    """What is wrong, in one sentence that names the resource and what it has."""
    fix: str
    """What to do about it, in the imperative."""
    about: str = ""
    """The statement or input that it is about, the same text in every rule; empty where no other rule judges it."""
    is_advisory: bool = False
    """Whether it is advisory even where its rule is mandatory: a finding can lower its rule's level, never raise it."""

    def __str__(self) -> str:
        return f"{self.problem} {self.fix}"

    def prefix(self, text: str) -> "Finding":
        """The same problem as the end of a longer sentence."""
        return replace(self, problem=f"{text}{self.problem}")


Complaints = Iterable[Finding] | Finding | None
"""One, several or none."""


def flatten(given: Complaints) -> Iterator[Finding]:
    """Each of them."""
    if isinstance(given, Finding):
        yield given
    elif given is not None:
        yield from given
