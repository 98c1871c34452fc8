"""Writes a report down: for people, for programs, for code hosts (SARIF) and for test reports (JUnit)."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from ..model.evaluation import Complaint, Report
from ..model.rule import Rule
from ..rules import RULES

_SECURITY_SEVERITY = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
"""Code hosts sort by a number: over 9 is critical, from 7 high, from 4 medium."""
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_SARIF_LEVELS = {"mandatory": "error", "advisory": "warning"}
_ABOUT = "https://www.pulumi.com/docs/insights/policy/"


def as_text(report: Report, checked: str) -> str:
    """The complaints, the mandatory ones last, where the eye is; then a line of numbers."""
    lines = []
    for enforcement in ("advisory", "mandatory"):
        lines += [line for one in report.complaints if one.enforcement == enforcement for line in _write_lines(one)]
    lines += [
        f"exempt     {one.policy}: {_name(one.urn)}, until {one.until} ({days(one.days_left)} left), "
        f"{one.owner}: {one.reason}"
        for one in report.exemptions
    ]
    mandatory = len(report.mandatory)
    lines.append(
        f"{checked}: {report.resources} resources, {report.rules} rules, {mandatory} mandatory and "
        f"{len(report.complaints) - mandatory} advisory complaints, {len(report.exemptions)} exemptions, "
        f"{report.seconds:.2f} s"
    )
    return "\n".join(map(escape_unprintable, lines)) + "\n"


def escape_unprintable(text: str) -> str:
    r"""The text with everything that steers a terminal as its escape, such as `\x1b` or `\u202e`."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode() for one in text)


def as_json(report: Report, checked: str) -> str:
    """Everything, as one object."""
    return _json(
        {
            "complaints": [asdict(one) | {"message": one.message} for one in report.complaints],
            "exemptions": [
                {"policy": one.policy, "urn": one.urn, "owner": one.owner, "reason": one.reason}
                | {"until": one.until, "daysLeft": one.days_left}
                for one in report.exemptions
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
    """SARIF 2.1.0. A resource is no line of a file: it is the logical location, the checked file the physical one.

    A `fix` of SARIF edits a file, which nobody can do here: what to do is in the message, in the result's properties
    and in the rule's help.
    """
    rules = list(RULES.values())
    index = {rule.name: position for position, rule in enumerate(rules)}
    location = {"artifactLocation": {"uri": _uri(checked)}, "region": {"startLine": 1}}
    results = [
        {
            "ruleId": one.policy,
            "ruleIndex": index[one.policy],
            "level": _SARIF_LEVELS[one.enforcement],
            "message": {"text": one.message},
            "locations": [{"physicalLocation": location} | _logical(one)],
            "properties": {"finding": one.finding, "fix": one.fix, "resourceType": one.type, "urn": one.urn},
            "partialFingerprints": {"policyAndUrn/v1": _fingerprint(one)},
        }
        for one in report.complaints
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


def as_junit(report: Report, checked: str) -> str:
    """JUnit XML: one case for each rule, failed by mandatory complaints; what is advisory is its output.

    A rule that was not applied is skipped, and does not pass. What was not seen whole is an error of one case more.
    """
    by_rule: dict[str, list[Complaint]] = {}
    for one in report.complaints:
        by_rule.setdefault(one.policy, []).append(one)
    failed = {one.policy for one in report.mandatory}
    numbers = {
        "name": _printable(f"rotation-guard {checked}"),
        "tests": str(len(RULES) + bool(report.failure)),
        "failures": str(len(failed)),
        "errors": str(int(bool(report.failure))),
        "skipped": str(len(report.left_out)),
        "time": f"{report.seconds:.3f}",
    }
    suites = ElementTree.Element("testsuites", numbers)
    suite = ElementTree.SubElement(suites, "testsuite", numbers)
    if report.failure:
        case = ElementTree.SubElement(suite, "testcase", {"classname": "input", "name": _printable(checked)})
        ElementTree.SubElement(case, "error", {"message": _printable(report.failure)})
    for rule in RULES.values():
        case = ElementTree.SubElement(suite, "testcase", {"classname": rule.subject, "name": rule.name})
        said = sorted(by_rule.get(rule.name, []), key=lambda one: one.enforcement != "mandatory")
        if rule.name in report.left_out:
            ElementTree.SubElement(case, "skipped", {"message": "not applied"})
        elif said:
            mandatory = rule.name in failed
            tag = "failure" if mandatory else "system-out"
            about = {"message": _printable(said[0].finding), "type": rule.severity} if mandatory else {}
            ElementTree.SubElement(case, tag, about).text = _printable(
                "\n".join(f"{_write_place(one)}: {one.finding}\nFix: {one.fix}" for one in said)
            )
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


FORMATS: Mapping[str, Callable[[Report, str], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "junit": as_junit,
}


def _printable(text: str) -> str:
    """Without the characters that XML has no way to write."""
    return "".join(one if one.isprintable() or one in "\n\t" else "?" for one in text)


def _uri(checked: str) -> str:
    """The checked file as a link: from where this runs, as code hosts want it, or from the root of the machine."""
    path = Path(checked)
    if not path.is_absolute():
        return quote(path.as_posix())
    here = Path.cwd()
    return quote(path.relative_to(here).as_posix()) if path.is_relative_to(here) else path.as_uri()


def _version() -> str:
    """The pack's version, as the engine reads it."""
    lines = (Path(__file__).parents[1] / "PulumiPolicy.yaml").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("version:"))


def _fingerprint(one: Complaint) -> str:
    """What stays the same from run to run, so that code hosts take it for the same finding."""
    return hashlib.sha256(f"{one.policy}|{one.urn}|{one.message}".encode(errors="replace")).hexdigest()


def _write_lines(one: Complaint) -> Iterator[str]:
    yield f"{one.enforcement:<10} {one.policy} ({one.severity}): {one.finding}"
    yield f"{'':<10} fix: {one.fix}"
    if one.urn:
        yield f"{'':<10} {one.type}, {one.urn}"


def _write_place(one: Complaint) -> str:
    return f"{one.urn} ({one.type})" if one.urn else "the stack"


def _name(urn: str | None) -> str:
    return urn.split("::", 3)[-1] if urn else "the stack"


def days(count: int) -> str:
    """A number of days, in words."""
    return "1 day" if count == 1 else f"{count} days"


def _logical(one: Complaint) -> dict[str, Any]:
    if one.urn is None:
        return {}
    return {"logicalLocations": [{"fullyQualifiedName": one.urn, "name": _name(one.urn), "kind": "resource"}]}


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
