"""Finds the parts of an event pattern that can never match an event of Secrets Manager, and what to set instead.

AWS documents these events completely: https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html
and https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from ..model.finding import Finding
from .event_patterns import ENVELOPE, Field, Open, Pattern, alternatives, branches, can_match, replaced

SOURCE = "aws.secretsmanager"
EVENT_SOURCE = "secretsmanager.amazonaws.com"
SERVICE_EVENT = "AWS Service Event via CloudTrail"
API_CALL = "AWS API Call via CloudTrail"
LABEL_UPDATED = "Secret Label Updated"
DETAIL_TYPES = (SERVICE_EVENT, API_CALL, LABEL_UPDATED)

SERVICE_EVENTS = (
    "RotationStarted",
    "RotationSucceeded",
    "RotationFailed",
    "RotationAbandoned",
    "TestRotationStarted",
    "TestRotationSucceeded",
    "TestRotationFailed",
    "StartSecretVersionDelete",
    "CancelSecretVersionDelete",
    "EndSecretVersionDelete",
)
"""Names of service events, which are not API calls."""
CALLS = (
    "BatchGetSecretValue",
    "CancelRotateSecret",
    "CreateSecret",
    "DeleteResourcePolicy",
    "DeleteSecret",
    "DescribeSecret",
    "GetRandomPassword",
    "GetResourcePolicy",
    "GetSecretValue",
    "ListSecretVersionIds",
    "ListSecrets",
    "PutResourcePolicy",
    "PutSecretValue",
    "RemoveRegionsFromReplication",
    "ReplicateSecretToRegions",
    "RestoreSecret",
    "RotateSecret",
    "StopReplicationToReplica",
    "TagResource",
    "UntagResource",
    "UpdateSecret",
    "UpdateSecretVersionStage",
    "ValidateResourcePolicy",
)
"""Names of API calls."""
_READ_ONLY = re.compile("(Get|List|Describe)[A-Z]")


def find_dead_parts(pattern: Pattern, *, sees_reads: bool, also_known: Iterable[str] = ()) -> list[Finding]:
    """The parts of a pattern that no event can match; empty where there are none, or where the pattern is not about
    Secrets Manager.

    `sees_reads`: the rule receives read-only API calls. `also_known`: names and detail-types that AWS has added since.
    """
    findings = [
        finding for branch in branches(pattern) for check in (_check_fields, _check_source) for finding in check(branch)
    ]
    for branch in branches(pattern):
        if _is_about_secrets_manager(branch):
            findings += _check_branch(branch, sees_reads, frozenset(also_known))
    return list(dict.fromkeys(findings))


def _check_fields(branch: Pattern) -> Iterator[Finding]:
    for key, wanted in branch.items():
        if key not in ENVELOPE and not can_match({key: wanted}, {}):
            guess = _closest(key, ENVELOPE)
            fix = f"Use {guess} instead." if guess else "Move it into detail, if it belongs there."
            yield Finding(f"an event has no top-level field {key}.", fix)


def _check_source(branch: Pattern) -> Iterator[Finding]:
    sources = alternatives(branch, "source")
    wrong = {source: _correct_source(source, branch) for source in sources if isinstance(source, str)}
    for source, right in wrong.items():
        if right:
            yield Finding(f"no event has the source {source}.", f"Set source to {right}.")
    is_of_others = all(isinstance(source, str) and source.startswith("aws.") and source != SOURCE for source in sources)
    if sources and is_of_others and not any(wrong.values()) and _names_secrets_manager(branch):
        yield Finding(
            f"an event of Secrets Manager never has the source {', '.join(sources)}.", f"Set source to {SOURCE}."
        )


def _correct_source(source: str, branch: Pattern) -> str | None:
    """The source that this one is a misspelling of; None where it may be right."""
    if source.endswith(".amazonaws.com"):
        return f"aws.{source.removesuffix('.amazonaws.com')}"
    if source == SOURCE or not (source.lower().startswith("aws.") or _names_secrets_manager(branch)):
        return None
    return _closest(source, [SOURCE], cutoff=0.85)


def _is_about_secrets_manager(branch: Pattern) -> bool:
    return SOURCE in alternatives(branch, "source") or ("source" not in branch and _names_secrets_manager(branch))


def _names_secrets_manager(branch: Pattern) -> bool:
    """Whether the detail or the detail-type of an event of Secrets Manager is required."""
    types, names = alternatives(branch, "detail-type"), alternatives(branch, "detail", "eventName")
    return (
        types == [LABEL_UPDATED]
        or alternatives(branch, "detail", "eventSource") == [EVENT_SOURCE]
        or (
            bool(names)
            and all(name in SERVICE_EVENTS for name in names)
            and all(type_ in (SERVICE_EVENT, API_CALL) for type_ in types)
        )
    )


def _check_branch(branch: Pattern, sees_reads: bool, also_known: frozenset[str]) -> Iterator[Finding]:
    """Check the detail-types first, then the names that they can have, then the other fields."""
    is_only_source = len(alternatives(branch, "source")) <= 1
    branch = replaced({key: value for key, value in branch.items() if key in ENVELOPE}, [SOURCE], "source")
    types = alternatives(branch, "detail-type")
    added_types = [type_ for type_ in types if isinstance(type_, str) and type_ in also_known]
    matching_types = [type_ for type_ in types if _matches({"detail-type": [type_]}, also_known)] + added_types
    for type_ in types:
        guess = _closest(type_, DETAIL_TYPES) if isinstance(type_, str) else None
        if type_ not in matching_types and (is_only_source or guess):
            yield _unknown_type(branch, type_, guess)
    if added_types or (types and not matching_types):
        return
    branch = replaced(branch, matching_types, "detail-type") if types else branch
    names = alternatives(branch, "detail", "eventName")
    required = {key: value for key, value in branch.items() if key == "detail-type"}
    matching_names = [name for name in names if _matches({**required, "detail": {"eventName": [name]}}, also_known)]
    yield from _check_names([name for name in names if name not in matching_names], matching_types, is_only_source)
    if names and not matching_names:
        return
    branch = replaced(branch, matching_names, "detail", "eventName") if names else branch
    if not _matches(branch, also_known):
        yield _no_match(branch, also_known)
    elif matching_names and not sees_reads and all(map(_is_read_only, matching_names)):
        yield Finding(
            f"{', '.join(matching_names)} only read, and a rule in the state ENABLED does not match read-only API "
            "calls.",
            "Set state to ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS.",
        )


def _is_read_only(name: Any) -> bool:
    return isinstance(name, str) and _READ_ONLY.match(name) is not None


def _unknown_type(branch: Pattern, type_: Any, guess: str | None) -> Finding:
    names = alternatives(branch, "detail", "eventName")
    if guess is None and names:
        of_names = ((SERVICE_EVENT, SERVICE_EVENTS), (API_CALL, CALLS))
        guess = next((fitting for fitting, known in of_names if all(name in known for name in names)), None)
    right = json.dumps(guess) if guess else "one of " + ", ".join(map(json.dumps, DETAIL_TYPES))
    return Finding(
        f"Secrets Manager sends no {json.dumps(type_)}; patterns are case-sensitive.", f"Set detail-type to {right}."
    )


def _check_names(names: list[Any], types: list[Any], is_only_source: bool) -> Iterator[Finding]:
    """Report names that no event of these detail-types has."""
    listed = ", ".join(type_ if isinstance(type_, str) else json.dumps(type_) for type_ in types)
    for known, reason, right in (
        (SERVICE_EVENTS, "it is no API call", SERVICE_EVENT),
        (CALLS, "it is an API call", API_CALL),
    ):
        if misplaced := ", ".join(name for name in names if name in known):
            yield Finding(
                f"{misplaced} never has the detail-type {listed}: {reason}.", f"Set detail-type to {json.dumps(right)}."
            )
    for name in names:
        if name in (*SERVICE_EVENTS, *CALLS):
            continue
        guess = _closest(name, (*SERVICE_EVENTS, *CALLS)) if isinstance(name, str) else None
        if guess:
            yield Finding(
                f"Secrets Manager has no event {name}: patterns are case-sensitive.", f"Set eventName to {guess}."
            )
        elif is_only_source:
            yield Finding(
                f"Secrets Manager has no event {json.dumps(name)} of {listed or 'any detail-type'}.",
                "Set eventName to an event that exists, in the same case.",
            )


def _no_match(branch: Pattern, also_known: frozenset[str]) -> Finding:
    """Name the fields without which the pattern would match."""
    paths: list[tuple[str, ...]] = [(key,) for key in branch if key not in ("source", "detail", "detail-type")]
    detail = branch.get("detail")
    if isinstance(detail, Mapping):
        paths += [("detail", key) for key in detail if key != "eventName"]
    wrong = [".".join(path) for path in paths if _matches(_without(branch, path), also_known)]
    reason = f"{' and '.join(wrong)} does not occur" if wrong else "the listed values do not occur together"
    return Finding(
        f"{reason} in the matched events of Secrets Manager.",
        "Match the secret in detail.additionalEventData.SecretId: in service events requestParameters and "
        "responseElements are null, and resources is empty.",
    )


def _without(branch: Pattern, path: tuple[str, ...]) -> Pattern:
    if len(path) == 1:
        return {key: value for key, value in branch.items() if key != path[0]}
    return {**branch, path[0]: _without(branch[path[0]], path[1:])}


def _matches(branch: Pattern, also_known: frozenset[str]) -> bool:
    return any(can_match(branch, event) for event in _list_events(also_known))


@cache
def _list_events(also_known: frozenset[str]) -> tuple[Pattern, ...]:
    """Every event of Secrets Manager, as far as its fields are known."""
    service_events = [
        _event(
            SERVICE_EVENT,
            _of_cloudtrail(name, eventType="AwsServiceEvent", requestParameters=None, responseElements=None),
        )
        for name in (*SERVICE_EVENTS, *also_known)
    ]
    calls = [
        _event(API_CALL, _of_cloudtrail(name, eventType="AwsApiCall"), resources=Field.ANYTHING)
        for name in (*CALLS, *also_known)
    ]
    label = dict.fromkeys(("name", "labelUpdated", "versionId"), Field.TEXT)
    return (*service_events, *calls, _event(LABEL_UPDATED, label, resources=Field.ANYTHING))


def _event(type_: str, detail: Mapping[str, Any], resources: Field = Field.ABSENT) -> Pattern:
    envelope = dict.fromkeys(ENVELOPE, Field.TEXT) | {"replay-name": Field.ANYTHING}
    return {**envelope, "source": SOURCE, "detail-type": type_, "resources": resources, "detail": detail}


def _of_cloudtrail(name: str, **fields: Any) -> Open:
    return Open(eventName=name, eventSource=EVENT_SOURCE, **fields)


def _closest(text: str, known: Iterable[str], cutoff: float = 0.75) -> str | None:
    """The known text that this is a misspelling of; None where there is none."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(text.lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[matches[0]] if matches else None
