"""The release that deployed the stack, and that of this command: each expects its own parts of a stack."""

from collections.abc import Iterable, Iterator

from .examination import Examination
from .link import Check, Finding, broken, note


def list_checks(examination: Examination) -> Iterable[Check]:
    """One: the stack against this command."""
    own, kind = examination.expected.version, examination.kind
    return [
        Check("version", f"{kind} and command", (lambda: judge_versions(examination.output("version"), own, kind),))
    ]


def judge_versions(deployed: str, own: str, kind: str) -> Iterator[Finding]:
    """Whether a deployment of some kind and this command are of the same release."""
    if deployed == own:
        yield note(f"Both are {own}.")
        return
    yield broken(
        f"The {kind} was deployed with rotation-guard {deployed}, and this command is {own}: what is said about other "
        "links may be wrong.",
        f"Update the older one: `pip install rotation-guard=={deployed}`, or `pulumi up` with {own}.",
    )
