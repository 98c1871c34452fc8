"""Knows which events AWS really sends, so far as a pattern can be told to wait for one that never comes.

Of Secrets Manager all are known (https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html
and https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html), of other services which
source goes with a detail-type (https://docs.aws.amazon.com/eventbridge/latest/ref/event-delivery-level.html).
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..model.finding import Finding
from .event_patterns import ENVELOPE, Field, Open, Pattern, alternatives, branches, can_match, replaced, takes

SECRETS_MANAGER = "aws.secretsmanager"
SECRETS_MANAGER_API = "secretsmanager.amazonaws.com"
SERVICE_EVENT = "AWS Service Event via CloudTrail"
API_CALL = "AWS API Call via CloudTrail"
LABEL_UPDATED = "Secret Label Updated"
FROM_SECRETS_MANAGER = (SERVICE_EVENT, API_CALL, LABEL_UPDATED)

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
"""What Secrets Manager does of itself: service events, which are no API calls."""
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
"""The API calls of Secrets Manager."""

SOURCES: Mapping[str, tuple[str, ...]] = {
    LABEL_UPDATED: (SECRETS_MANAGER,),
    "Scheduled Event": ("aws.events",),
    "EC2 Instance State-change Notification": ("aws.ec2",),
    "EC2 Spot Instance Interruption Warning": ("aws.ec2",),
    "EC2 Instance Rebalance Recommendation": ("aws.ec2",),
    "EC2 Instance-launch Lifecycle Action": ("aws.autoscaling",),
    "EC2 Instance-terminate Lifecycle Action": ("aws.autoscaling",),
    "EBS Snapshot Notification": ("aws.ec2",),
    "EBS Volume Notification": ("aws.ec2",),
    "Object Created": ("aws.s3",),
    "Object Deleted": ("aws.s3",),
    "ECS Task State Change": ("aws.ecs",),
    "ECS Container Instance State Change": ("aws.ecs",),
    "ECS Deployment State Change": ("aws.ecs",),
    "ECS Service Action": ("aws.ecs",),
    "ECR Image Action": ("aws.ecr",),
    "ECR Image Scan": ("aws.ecr",),
    "GuardDuty Finding": ("aws.guardduty",),
    "Security Hub Findings - Imported": ("aws.securityhub",),
    "Security Hub Findings - Custom Action": ("aws.securityhub",),
    "Access Analyzer Finding": ("aws.access-analyzer",),
    "Inspector2 Finding": ("aws.inspector2",),
    "Macie Finding": ("aws.macie",),
    "AWS Health Event": ("aws.health",),
    "CloudWatch Alarm State Change": ("aws.cloudwatch",),
    "Config Rules Compliance Change": ("aws.config",),
    "Step Functions Execution Status Change": ("aws.states",),
    "CodePipeline Pipeline Execution State Change": ("aws.codepipeline",),
    "CodeBuild Build State Change": ("aws.codebuild",),
    "CodeCommit Repository State Change": ("aws.codecommit",),
    "RDS DB Instance Event": ("aws.rds",),
    "RDS DB Cluster Event": ("aws.rds",),
    "Glue Job State Change": ("aws.glue",),
    "Batch Job State Change": ("aws.batch",),
    "KMS CMK Rotation": ("aws.kms",),
    "KMS CMK Deletion": ("aws.kms",),
    "KMS Imported Key Material Expiration": ("aws.kms",),
    "ACM Certificate Approaching Expiration": ("aws.acm",),
    "Parameter Store Change": ("aws.ssm",),
    "EC2 Automation Execution Status-change Notification": ("aws.ssm",),
    "CloudFormation Stack Status Change": ("aws.cloudformation",),
}
"""The services that send events of a detail-type themselves. Those of CloudTrail come from every service."""
TYPES = (SERVICE_EVENT, API_CALL, *SOURCES)

_READING = re.compile("(Get|List|Describe)[A-Z]")
_ENVELOPE: Mapping[str, Any] = dict.fromkeys(ENVELOPE, Field.TEXT) | {"replay-name": Field.ANYTHING}


def dead_parts(pattern: Pattern, *, reads: bool, also_known: Iterable[str] = ()) -> list[Finding]:
    """What of a pattern no event can match, and what to set; empty where there is nothing.

    `reads` says whether the rule sees calls that only read; `also_known` are names of events that AWS has added.
    """
    found = [part for branch in branches(pattern) for part in _dead(branch, reads, frozenset(also_known))]
    return list(dict.fromkeys(found))


def _dead(branch: Pattern, reads: bool, also_known: frozenset[str]) -> Iterator[Finding]:
    strange = [key for key, wanted in branch.items() if key not in ENVELOPE and not can_match({key: wanted}, {})]
    for key in strange:
        guess = "detail-type" if _folded(key) == "detailtype" else _closest(key, ENVELOPE)
        fix = f"Use {guess} instead." if guess else "Move it into detail, if it belongs there."
        yield Finding(f"an event has no top-level field {key}.", fix)
    branch = {key: wanted for key, wanted in branch.items() if key not in strange}
    yield from _misspelt_sources(branch)
    yield from _types_in_other_letters(branch)
    yield from _without_a_sender(branch)
    if _is_about_secrets(branch):
        yield from _dead_of_secrets(branch, reads, also_known)


# --- sources and detail-types of every service -----------------------------------------------------------------------


def _misspelt_sources(branch: Pattern) -> Iterator[Finding]:
    for source in _texts(branch, "source"):
        if source.endswith(".amazonaws.com"):
            right = f"aws.{source.removesuffix('.amazonaws.com')}"
            yield Finding(
                f"no event has the source {source}, which is an eventSource of CloudTrail.", f"Set source to {right}."
            )
        elif source != SECRETS_MANAGER and _is_like_secrets_manager(source, branch):
            yield Finding(f"no event has the source {source}.", f"Set source to {SECRETS_MANAGER}.")
    if SECRETS_MANAGER_API in _texts(branch, "detail", "eventSource"):
        others = [one for one in _texts(branch, "source") if one.startswith("aws.") and one != SECRETS_MANAGER]
        given = alternatives(branch, "source")
        sources = len(alternatives(branch, "detail", "eventSource"))
        if given and len(others) == len(given) and sources == 1 and not _misspelt(others, branch):
            yield Finding(
                f"an event whose eventSource is {SECRETS_MANAGER_API} never has the source {', '.join(others)}.",
                f"Set source to {SECRETS_MANAGER}.",
            )


def _misspelt(sources: list[str], branch: Pattern) -> bool:
    return any(_is_like_secrets_manager(source, branch) for source in sources)


def _is_like_secrets_manager(source: str, branch: Pattern) -> bool:
    """Whether this can only be meant for Secrets Manager's, and is not it."""
    if _folded(source) in ("awssecretsmanager", "awssecretmanager"):
        return True
    if not source.lower().startswith("aws."):
        speaks = LABEL_UPDATED in _texts(branch, "detail-type") or SECRETS_MANAGER_API in _texts(
            branch, "detail", "eventSource"
        )
        return speaks and _folded(source) in ("secretsmanager", "secretmanager")
    return difflib.SequenceMatcher(None, source.lower(), SECRETS_MANAGER).ratio() >= 0.85


def _types_in_other_letters(branch: Pattern) -> Iterator[Finding]:
    """Detail-types that are AWS's but for upper and lower case, spaces or dashes. Others may send what they like."""
    if not all(isinstance(one, str) and one.startswith("aws.") for one in alternatives(branch, "source")):
        return
    for given in _texts(branch, "detail-type"):
        if right := _is_in_other_letters(given):
            yield Finding(
                f"no event has the detail-type {json.dumps(given)}: patterns are case-sensitive.",
                f"Set detail-type to {json.dumps(right)}.",
            )


def _is_in_other_letters(given: str) -> str | None:
    """The detail-type of AWS's that this is but for its letters' case, its spaces and its dashes."""
    right = _TYPES_FOLDED.get(_folded(given))
    return right if right != given else None


def _without_a_sender(branch: Pattern) -> Iterator[Finding]:
    """Sources and detail-types that AWS never puts together. What other senders do is theirs."""
    sources, types = alternatives(branch, "source"), alternatives(branch, "detail-type")
    if not sources or not types:
        return
    for given in types:
        owners = SOURCES.get(given) if isinstance(given, str) else None
        if owners is None or SECRETS_MANAGER in sources:
            continue
        if all(isinstance(one, str) and one.startswith("aws.") for one in sources) and not set(owners) & set(sources):
            yield Finding(
                f"an event of the detail-type {json.dumps(given)} never has the source {', '.join(map(str, sources))}.",
                f"Set source to {' or '.join(owners)}.",
            )
    names = alternatives(branch, "detail", "eventName")
    of_aws = all(isinstance(one, str) and one.startswith("aws.") for one in sources)
    if names and of_aws and SECRETS_MANAGER not in sources and all(one in SERVICE_EVENTS for one in names):
        yield Finding(
            f"{', '.join(names)} never has the source {', '.join(sources)}: only Secrets Manager reports it.",
            f"Set source to {SECRETS_MANAGER}.",
        )
    if len(sources) > 1 and all(isinstance(one, str) and one in SOURCES for one in types):
        owners = {owner for one in types for owner in SOURCES[one]}
        for source in _texts(branch, "source"):
            if source.startswith("aws.") and source not in owners and owners & set(map(str, sources)):
                yield Finding(
                    f"no event of the source {source} has a detail-type that is listed.",
                    "Add a detail-type of that source, or remove the source.",
                )


# --- the events of Secrets Manager -----------------------------------------------------------------------------------


def _is_about_secrets(branch: Pattern) -> bool:
    """Whether it waits for Secrets Manager, by its source or else by what it asks of the detail."""
    if SECRETS_MANAGER in alternatives(branch, "source"):
        return True
    if "source" in branch:
        return False
    names = alternatives(branch, "detail", "eventName")
    return (
        alternatives(branch, "detail", "eventSource") == [SECRETS_MANAGER_API]
        or alternatives(branch, "detail-type") == [LABEL_UPDATED]
        or (
            bool(names)
            and all(one in SERVICE_EVENTS for one in names)
            and all(one in (SERVICE_EVENT, API_CALL) for one in alternatives(branch, "detail-type"))
        )
    )


def _dead_of_secrets(branch: Pattern, reads: bool, also_known: frozenset[str]) -> Iterator[Finding]:
    sources = alternatives(branch, "source")
    alone, of_aws = len(sources) <= 1, all(isinstance(one, str) and one.startswith("aws.") for one in sources)
    branch = replaced(branch, [SECRETS_MANAGER], "source")
    types = alternatives(branch, "detail-type")
    living = [one for one in types if any(takes(one, known) for known in (*FROM_SECRETS_MANAGER, *also_known))]
    for given in types:
        if given in living or (of_aws and isinstance(given, str) and _is_in_other_letters(given)):
            continue
        if isinstance(given, str) and given not in SOURCES:
            guess = _closest(given, FROM_SECRETS_MANAGER)
            if alone or guess:
                yield _unknown_type(branch, given, guess)
        elif alone:
            yield _unknown_type(branch, given, None)
    if types and not living:
        return
    if living:
        branch = replaced(branch, living, "detail-type")
    if any(isinstance(one, str) and one in also_known for one in living):
        return
    names = alternatives(branch, "detail", "eventName")
    awake = [one for one in names if _can(replaced(branch, [one], "detail", "eventName"), also_known, names_only=True)]
    yield from _dead_names([one for one in names if one not in awake], living, alone)
    # What is left out, and never comes: then something else was meant.
    excluded = [one for given in names for one in _excluded(given)]
    idle = [
        one for one in excluded if not _can(replaced(branch, [one], "detail", "eventName"), also_known, names_only=True)
    ]
    yield from _dead_names(idle, living, False)
    if names and not awake:
        return
    if names:
        branch = replaced(branch, awake, "detail", "eventName")
    if not _can(branch, also_known):
        yield _dead_whole(branch, also_known)
    elif awake and not reads and all(isinstance(one, str) and _READING.match(one) for one in awake):
        yield Finding(
            f"{', '.join(awake)} only read, and a rule in the state ENABLED does not match read-only API calls.",
            "Set state to ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS.",
        )


def _unknown_type(branch: Pattern, given: Any, guess: str | None) -> Finding:
    return Finding(f"Secrets Manager sends no {json.dumps(given)}.", f"Set detail-type to {_type_for(branch, guess)}.")


def _excluded(given: Any) -> list[str]:
    """The names that an `anything-but` leaves out."""
    listed = given.get("anything-but") if isinstance(given, Mapping) else None
    return [one for one in (listed if isinstance(listed, list) else [listed]) if isinstance(one, str)]


def _type_for(branch: Pattern, guess: str | None) -> str:
    """The detail-type that was meant: by what it is like, else by the events that are named."""
    names = alternatives(branch, "detail", "eventName")
    if guess is None and names:
        if all(one in SERVICE_EVENTS for one in names):
            guess = SERVICE_EVENT
        elif all(one in CALLS for one in names):
            guess = API_CALL
    return json.dumps(guess) if guess else "one of " + ", ".join(map(json.dumps, FROM_SECRETS_MANAGER))


def _dead_names(names: list[Any], types: list[Any], alone: bool) -> Iterator[Finding]:
    listed = ", ".join(one if isinstance(one, str) else json.dumps(one) for one in types)
    for known, what, right in (
        (SERVICE_EVENTS, "it is no API call", SERVICE_EVENT),
        (CALLS, "it is an API call", API_CALL),
    ):
        if found := ", ".join(one for one in names if one in known):
            yield Finding(
                f"{found} never has the detail-type {listed}: {what}.", f"Set detail-type to {json.dumps(right)}."
            )
    for given in names:
        if given in SERVICE_EVENTS or given in CALLS:
            continue
        guess = _closest(given, (*SERVICE_EVENTS, *CALLS)) if isinstance(given, str) else None
        if guess:
            yield Finding(
                f"Secrets Manager has no event {given}: patterns are case-sensitive.", f"Set eventName to {guess}."
            )
        elif alone:
            yield Finding(
                f"Secrets Manager has no event {json.dumps(given)} of {listed or 'any detail-type'}.",
                "Set eventName to an event that exists, in the same case.",
            )


def _dead_whole(branch: Pattern, also_known: frozenset[str]) -> Finding:
    """The fields that exclude every event."""
    fields: list[tuple[str, ...]] = [(key,) for key in branch if key not in ("source", "detail", "detail-type")]
    detail = branch.get("detail")
    if isinstance(detail, Mapping):
        fields += [("detail", key) for key in detail if key != "eventName"]
    guilty = [".".join(path) for path in fields if _can(_without(branch, path), also_known)]
    which = f"{' and '.join(guilty)} does not occur" if guilty else "the listed values do not occur together"
    return Finding(
        f"{which} in the matched events of Secrets Manager.",
        "Match the secret in detail.additionalEventData.SecretId: in service events requestParameters and "
        "responseElements are null, and resources is empty.",
    )


def _without(branch: Pattern, path: tuple[str, ...]) -> Pattern:
    if len(path) == 1:
        return {key: value for key, value in branch.items() if key != path[0]}
    return {**branch, path[0]: _without(branch[path[0]], path[1:])}


def _can(branch: Pattern, also_known: frozenset[str], *, names_only: bool = False) -> bool:
    if names_only:
        kept = {"detail-type", "source"}
        name = alternatives(branch, "detail", "eventName")
        branch = {key: value for key, value in branch.items() if key in kept} | {"detail": {"eventName": name}}
    return any(can_match(branch, event) for event in _events_of_secrets(also_known))


def _events_of_secrets(also_known: frozenset[str]) -> Iterator[Pattern]:
    for name in (*SERVICE_EVENTS, *also_known):
        yield _event(
            SERVICE_EVENT, _by_cloudtrail(name, "AwsServiceEvent", requestParameters=None, responseElements=None)
        )
    for name in (*CALLS, *also_known):
        yield _event(API_CALL, _by_cloudtrail(name, "AwsApiCall"), resources=Field.ANYTHING)
    label = dict.fromkeys(("name", "labelUpdated", "versionId"), Field.TEXT)
    yield _event(LABEL_UPDATED, label, resources=Field.ANYTHING)


def _event(type_: str, detail: Mapping[str, Any], resources: Field = Field.ABSENT) -> Pattern:
    return {**_ENVELOPE, "source": SECRETS_MANAGER, "detail-type": type_, "resources": resources, "detail": detail}


def _by_cloudtrail(name: str, kind: str, **more: Any) -> Open:
    return Open(eventName=name, eventSource=SECRETS_MANAGER_API, eventType=kind, **more)


# --- spelling --------------------------------------------------------------------------------------------------------


def _texts(branch: Pattern, *path: str) -> list[str]:
    return [one for one in alternatives(branch, *path) if isinstance(one, str)]


def _folded(text: str) -> str:
    """A text without what people get wrong: upper and lower case, spaces, dashes, underscores, dots."""
    return re.sub(r"[\s._-]", "", text).lower()


_TYPES_FOLDED = {_folded(one): one for one in TYPES}


def _closest(text: str, known: Iterable[str]) -> str | None:
    """The known text that this was meant to be."""
    by_lower = {one.lower(): one for one in known}
    found = difflib.get_close_matches(text.lower(), by_lower, n=1, cutoff=0.75)
    return by_lower[found[0]] if found else None
