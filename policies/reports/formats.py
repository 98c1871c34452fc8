"""Writes a report as text, as JSON, or as SARIF for code hosts."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..model.evaluation import Complaint, Report
from ..model.rule import Rule
from ..rules import RULES

_SECURITY_SEVERITY = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
"""Code hosts sort by this number: over 9 is critical, from 7 high, from 4 medium."""
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_SARIF_LEVELS = {"mandatory": "error", "advisory": "warning"}
_ABOUT = "https://www.pulumi.com/docs/insights/policy/"


def as_text(report: Report, checked: str) -> str:
    """The complaints, with the mandatory ones last, and a summary line."""
    lines = []
    for enforcement in ("advisory", "mandatory"):
        lines += [
            line
            for complaint in report.complaints
            if complaint.enforcement == enforcement
            for line in _write_lines(complaint)
        ]
    lines += [
        f"exempt     {exemption.policy}: {_name(exemption.urn)}, until {exemption.until} "
        f"({days(exemption.days_left)} left), {exemption.owner}: {exemption.reason}"
        for exemption in report.exemptions
    ]
    mandatory = len(report.mandatory)
    lines.append(
        f"{checked}: {report.resources} resources, {report.rules} rules, {mandatory} mandatory and "
        f"{len(report.complaints) - mandatory} advisory complaints, {len(report.exemptions)} exemptions, "
        f"{report.seconds:.2f} s"
    )
    return "\n".join(map(escape_unprintable, lines)) + "\n"


def escape_unprintable(text: str) -> str:
    r"""Replace control characters with escapes, such as `\x1b` or `\u202e`."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )


def as_json(report: Report, checked: str) -> str:
    """The whole report as a JSON object."""
    return _json(
        {
            "complaints": [asdict(complaint) | {"message": complaint.message} for complaint in report.complaints],
            "exemptions": [
                {"policy": exemption.policy, "urn": exemption.urn, "owner": exemption.owner, "reason": exemption.reason}
                | {"until": exemption.until, "daysLeft": exemption.days_left}
                for exemption in report.exemptions
            ],
            "resources": report.resources,
            "unjudged": dict(report.unjudged),
            "rules": report.rules,
            "notes": list(report.notes),
            "failure": report.failure,
            "seconds": round(report.seconds, 3),
        }
    )


def as_sarif(report: Report, checked: str) -> str:
    """SARIF 2.1.0, with the resource as the logical location and the checked file as the physical location.

    A SARIF `fix` edits a file, which does not apply here: the fix is in the message, in the result's properties and in
    the rule's help.
    """
    rules = list(RULES.values())
    index = {rule.name: position for position, rule in enumerate(rules)}
    location = {"artifactLocation": {"uri": _uri(checked)}, "region": {"startLine": 1}}
    results = [
        {
            "ruleId": complaint.policy,
            "ruleIndex": index[complaint.policy],
            "level": _SARIF_LEVELS[complaint.enforcement],
            "message": {"text": complaint.message},
            "locations": [{"physicalLocation": location} | _logical(complaint)],
            "properties": {
                "finding": complaint.finding,
                "fix": complaint.fix,
                "resourceType": complaint.type,
                "urn": complaint.urn,
            },
            "partialFingerprints": {"policyAndUrn/v1": _fingerprint(complaint)},
        }
        for complaint in report.complaints
    ]
    driver = {
        "name": "rotation-guard",
        "semanticVersion": _version(),
        "informationUri": _ABOUT,
        "rules": [_sarif_rule(rule) for rule in rules],
    }
    notes = [{"level": "warning", "message": {"text": note}} for note in report.notes]
    if report.failure:
        notes.insert(0, {"level": "error", "message": {"text": report.failure}})
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": report.failure is None, "toolExecutionNotifications": notes}],
        "results": results,
        "columnKind": "unicodeCodePoints",
    }
    return _json({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


FORMATS: Mapping[str, Callable[[Report, str], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
}


def _uri(checked: str) -> str:
    """The URI of the checked file, relative to the working directory where that is possible."""
    path = Path(checked)
    if not path.is_absolute():
        return quote(path.as_posix())
    here = Path.cwd()
    return quote(path.relative_to(here).as_posix()) if path.is_relative_to(here) else path.as_uri()


def _version() -> str:
    """The pack's version in PulumiPolicy.yaml."""
    lines = (Path(__file__).parents[1] / "PulumiPolicy.yaml").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("version:"))


def _fingerprint(complaint: Complaint) -> str:
    """Identifies a finding across runs, for code hosts."""
    return hashlib.sha256(
        f"{complaint.policy}|{complaint.urn}|{complaint.message}".encode(errors="replace")
    ).hexdigest()


def _write_lines(complaint: Complaint) -> Iterator[str]:
    yield f"{complaint.enforcement:<10} {complaint.policy} ({complaint.severity}): {complaint.finding}"
    yield f"{'':<10} fix: {complaint.fix}"
    if complaint.urn:
        yield f"{'':<10} {complaint.type}, {complaint.urn}"


def _name(urn: str | None) -> str:
    return urn.split("::", 3)[-1] if urn else "the stack"


def days(count: int) -> str:
    """Format a number of days."""
    return "1 day" if count == 1 else f"{count} days"


def _logical(complaint: Complaint) -> dict[str, Any]:
    if complaint.urn is None:
        return {}
    return {
        "logicalLocations": [{"fullyQualifiedName": complaint.urn, "name": _name(complaint.urn), "kind": "resource"}]
    }


def _sarif_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.name,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.description},
        "fullDescription": {"text": rule.description},
        "helpUri": rule.link,
        "help": {
            "text": f"{rule.description} {rule.fix} {rule.link}",
            "markdown": f"{rule.description}\n\n**Fix:** {rule.fix}\n\n[AWS documentation]({rule.link})",
        },
        "defaultConfiguration": {"level": _SARIF_LEVELS.get(rule.enforcement, "error")},
        "properties": {
            "tags": ["security", rule.subject],
            "security-severity": _SECURITY_SEVERITY[rule.severity],
            "problem.severity": "error" if rule.enforcement == "mandatory" else "warning",
        },
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"
