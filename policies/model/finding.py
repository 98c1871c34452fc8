"""A finding of a rule: the problem, the fix, and the part of a resource that it is about."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Finding:
    """One problem of one resource."""

    problem: str
    """What is wrong, in one sentence that names the resource and the value."""
    fix: str
    """What to do about it, in the imperative."""
    about: str = ""
    """Identifies the statement or input, with the same text in every rule; empty where no other rule checks it."""
    is_advisory: bool = False
    """Whether it is advisory although its rule may be mandatory."""

    def __str__(self) -> str:
        return f"{self.problem} {self.fix}"

    def prefix(self, text: str) -> "Finding":
        """The same finding with a text before the problem."""
        return replace(self, problem=f"{text}{self.problem}")


Complaints = Iterable[Finding] | Finding | None
"""What a rule returns: one finding, several, or none."""


def flatten(complaints: Complaints) -> Iterator[Finding]:
    """List the findings that a rule returned."""
    if isinstance(complaints, Finding):
        yield complaints
    elif complaints is not None:
        yield from complaints
