"""Links of a deployment, and what was found about each: *ok*, *broken* or *cannot tell*, with a fix."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..errors import CommandError

OK, BROKEN, CANNOT_TELL = "ok", "broken", "cannot tell"
VERDICTS = (BROKEN, CANNOT_TELL, OK)
"""The worst first."""
TRY_AGAIN = "Run it again in a minute."
REDEPLOY = "Run `pulumi refresh`, which notices what differs, and then `pulumi up`, which restores it."


@dataclass(frozen=True)
class Finding:
    """One observation about a link."""

    verdict: str
    reason: str
    """A sentence."""
    fix: str = ""
    """The command or setting that repairs it."""
    is_warning: bool = False
    """Whether a reader has to know it although the link is ok."""


class Unanswered(Exception):
    """A question that cannot be answered, with the finding that says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.reason)
        self.finding = finding


@dataclass(frozen=True)
class Link:
    """A part of a deployment on which others rely."""

    subject: str
    name: str
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> str:
        """The worst of its findings; ok without any."""
        found = {finding.verdict for finding in self.findings}
        return next((verdict for verdict in VERDICTS if verdict in found), OK)

    @property
    def reason(self) -> str:
        """Why, in sentences, the worst first."""
        return " ".join(finding.reason for finding in self._sorted())

    @property
    def fix(self) -> str:
        """What repairs it, in sentences, each of them once."""
        return " ".join(dict.fromkeys(finding.fix for finding in self._sorted() if finding.fix))

    def _sorted(self) -> list[Finding]:
        return sorted(self.findings, key=lambda finding: VERDICTS.index(finding.verdict))


Part = Callable[[], Iterable[Finding]]


@dataclass(frozen=True)
class Check:
    """How one link is examined: in parts, each of which answers even if another cannot."""

    subject: str
    name: str
    parts: tuple[Part, ...]

    def run(self) -> Link:
        """Examine the link. Never raises."""
        return Link(self.subject, self.name, tuple(finding for part in self.parts for finding in _run(part)))


def unlisted(subject: str, name: str, error: Unanswered) -> Check:
    """In place of links that nobody can list: one that says why."""
    return Check(subject, name, (lambda: [error.finding],))


def broken(reason: str, fix: str = REDEPLOY) -> Finding:
    """Something that does not work."""
    return Finding(BROKEN, reason, fix)


def cannot_tell(reason: str, fix: str) -> Finding:
    """Something that cannot be judged."""
    return Finding(CANNOT_TELL, reason, fix)


def missing(what: str) -> Finding:
    """What cannot be judged because something that another link names is gone."""
    return cannot_tell(f"{what} does not exist.", "Repair the link that names it first.")


def note(reason: str, *, is_warning: bool = False) -> Finding:
    """Something worth knowing that breaks nothing."""
    return Finding(OK, reason, is_warning=is_warning)


def _run(part: Part) -> list[Finding]:
    """The findings of a part; of one that fails, those before, and why it failed."""
    findings: list[Finding] = []
    try:
        findings += part()
    except Unanswered as unanswered:
        findings.append(unanswered.finding)
    except CommandError as error:
        findings.append(cannot_tell(str(error), "Repair what the sentence names, and run it again."))
    except Exception as error:  # noqa: BLE001 - a response of an unexpected shape must not hide the other links
        findings.append(
            cannot_tell(
                f"The response has an unexpected shape: {type(error).__name__}: {error}.",
                "Update rotation-guard, or report this as a bug.",
            )
        )
    return findings
