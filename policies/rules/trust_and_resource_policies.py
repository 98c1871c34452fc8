"""Policies that say who may come in: nobody is let in unknown, and no AWS service on a stranger's behalf."""

import re
from collections.abc import Iterable, Iterator

from .. import arns, kinds, public_access
from ..access_inputs import PERMISSIONS, RESOURCE_POLICIES
from ..policy_documents import Statement, matches, open_statements, statements
from ..rule import Complaints, each, rule
from ..stack import Resource

_OF_OTHER_SUBJECTS = (kinds.QUEUE, kinds.QUEUE_POLICY, kinds.TOPIC, kinds.TOPIC_POLICY)
CLOSED = {type_: path for type_, path in RESOURCE_POLICIES.items() if type_ not in _OF_OTHER_SUBJECTS}
"""Where policies of resources are written, but for queues and topics: these are another subject's."""
GUARDED = {type_: path for type_, path in RESOURCE_POLICIES.items() if type_ != kinds.LOG_RESOURCE_POLICY}
"""The same, and queues and topics. Log groups let EventBridge in without a condition
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html)."""

ASSUMING = frozenset(
    {
        "airflow-env",
        "appsync",
        "batch",
        "bedrock",
        "bedrock-agentcore",
        "codebuild",
        "codepipeline",
        "comprehend",
        "config",
        "datasync",
        "dms",
        "ecs-tasks",
        "elasticmapreduce",
        "events",
        "fis",
        "frauddetector",
        "grafana",
        "iot",
        "iotevents",
        "iotsitewise",
        "logs",
        "personalize",
        "pipes",
        "rds",
        "sagemaker",
        "scheduler",
        "ses",
        "sms-voice",
        "ssm",
        "states",
        "transcribe",
        "transfer",
        "vpc-flow-logs",
    }
)
"""Services that say for whom they assume a role: the trust policies on AWS's own pages have a condition on the source.

Those are each service's "Cross-service confused deputy prevention" (such as
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/cross-service-confused-deputy-prevention.html), and the page of
its role (such as https://docs.aws.amazon.com/config/latest/developerguide/iamrole-permissions.html). On the pages of
Lambda, EC2, API Gateway, Glue, Firehose, Backup, CodeDeploy and S3 replication there is none, CloudTrail's is about
buckets alone, and EKS takes one for clusters and does without.
"""
SENDING = frozenset(
    {
        "apigateway",
        "bedrock",
        "budgets",
        "cloudfront",
        "cloudtrail",
        "cloudwatch",
        "lambda.alarms.cloudwatch",
        "cognito-idp",
        "config",
        "costalerts",
        "delivery.logs",
        "elasticloadbalancing",
        "emr-serverless",
        "events",
        "events.rds",
        "guardduty",
        "iot",
        "lex",
        "logging.s3",
        "logs",
        "s3",
        "scheduler",
        "secretsmanager",
        "ses",
        "sns",
        "vpc-lattice",
    }
)
"""Services that say for whom they call a resource: AWS's own pages have a condition on the source, such as
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html."""
USING_KEYS = frozenset({"cloudfront", "delivery.logs", "guardduty", "logs", "sns"})
"""Services that say for whom they use a key. S3 and CloudTrail, by their own pages, are let in without
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html)."""
WITHOUT_CONDITION = frozenset({kinds.TOPIC, kinds.TOPIC_POLICY, *kinds.KEYS, kinds.KEY_POLICY})
"""Where EventBridge is let in without a condition, or not at all: a topic, and the key of one."""
_SHARED_PROVIDERS = (
    "token.actions.githubusercontent.com",
    "gitlab.com",
    "app.terraform.io",
    "agent.buildkite.com",
)
"""Identity providers that anybody can have a token from, of an audience that does not say whose."""

_GUIDE = "https://docs.aws.amazon.com/IAM/latest/UserGuide"


@rule(
    kinds.ROLE,
    severity="critical",
    enforcement="mandatory",
    link=f"{_GUIDE}/reference_policies_elements_principal.html",
)
def role_trust_is_not_open(role: Resource) -> Complaints:
    """A role is not to be assumed by just anybody: principals are named, and identities from elsewhere are held to."""
    found = statements(role.value("assumeRolePolicy"))
    anybodys = {one.index for one in _open(found)}

    def judge(statement: Statement) -> Complaints:
        if not statement.allows:
            return
        if statement.index in anybodys or (statement.opens_to_anyone() and _tells_only_source(statement)):
            yield (
                f"The role {role.name} may be assumed by everybody: {statement.name} of assumeRolePolicy has "
                "Principal * without a condition that says who. Set Principal to the service, role or account meant."
            )
        for provider in statement.principals.get("Federated", []):
            wanted = _missing_claim(statement, provider)
            if wanted:
                yield (
                    f"The role {role.name} may be assumed by everybody who has a token of {provider}: {statement.name} "
                    f"of assumeRolePolicy does not say whose. Set Condition to StringEquals or StringLike of {wanted}."
                )

    yield from each(found, judge)


@rule(
    *CLOSED,
    *PERMISSIONS,
    kinds.FUNCTION_URL,
    severity="critical",
    enforcement="mandatory",
    link=f"{_GUIDE}/reference_policies_elements_principal.html",
)
def resource_policy_is_not_open(holder: Resource) -> Complaints:
    """A key, secret, bus, bucket, repository, table, function or the like is not open to the world."""
    if holder.type == kinds.FUNCTION_URL:
        yield from public_access.of_function_url(holder)
        return
    if holder.type in PERMISSIONS:
        held = any(map(holder.has, ("principalOrgId", "sourceArn", "sourceAccount", "condition", "organizationId")))
        if holder.text("principal") == "*" and not held:
            yield (
                f"The permission {holder.name} lets everybody in: principal is * and nothing says who. Set principal "
                "to an account, a role or a service."
            )
        return
    for statement in _open(statements(holder.value(CLOSED[holder.type]))):
        if not public_access.is_limited_to_network(holder, statement):
            yield (
                f"The policy of {holder.name} lets everybody in: {statement.name} allows "
                f"{', '.join(statement.actions) or 'all but some actions'} to Principal * without a condition that "
                f"says whose. {public_access.advice(holder, statement)}"
            )


@rule(
    kinds.ROLE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/confused-deputy.html",
)
def trusted_service_acts_for_a_known_source(role: Resource) -> Complaints:
    """A service that says for whom it assumes a role is held to a source: an account, an organisation or a resource."""

    def judge(statement: Statement) -> Complaints:
        services = [one for one in statement.services if _name(one) in ASSUMING]
        if not services or not statement.allows or _has_source(statement):
            return None
        return (
            f"The role {role.name} may be assumed by {' and '.join(services)} on anybody's behalf: {statement.name} of "
            "assumeRolePolicy has no condition on its source. Set Condition to aws:SourceAccount, and to aws:SourceArn "
            "where the resource is known."
        )

    yield from each(statements(role.value("assumeRolePolicy")), judge)


@rule(
    *GUARDED,
    kinds.FUNCTION_PERMISSION,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/confused-deputy.html",
)
def admitted_service_acts_for_a_known_source(holder: Resource) -> Complaints:
    """A service that says for whom it calls a resource is held to a source, but for EventBridge and topics."""
    if holder.type == kinds.FUNCTION_PERMISSION:
        yield from _permission(holder)
        return

    def judge(statement: Statement) -> Complaints:
        honouring = USING_KEYS if holder.type in (*kinds.KEYS, kinds.KEY_POLICY) else SENDING
        services = [
            one
            for one in statement.services
            if _name(one) in honouring and not (_name(one) == "events" and holder.type in WITHOUT_CONDITION)
        ]
        if not services or not statement.allows or _has_source(statement):
            return None
        return (
            f"The policy of {holder.name} lets {' and '.join(services)} in on anybody's behalf: {statement.name} has "
            "no condition on its source. Set Condition to aws:SourceArn of the resource it comes from, or to "
            "aws:SourceAccount."
        )

    yield from each(statements(holder.value(GUARDED[holder.type])), judge)


def _open(found: list[Statement]) -> Iterator[Statement]:
    """Those that let anyone in, but for what another statement denies to strangers."""
    for one in open_statements(found):
        actions = one.actions
        if not actions or not all(any(other.shuts_strangers_out(action) for other in found) for action in actions):
            yield one


def _permission(permission: Resource) -> Iterator[str]:
    """The same, of what a Lambda permission has in the place of conditions."""
    service = permission.text("principal") or ""
    if _name(service) not in SENDING or any(map(permission.has, ("sourceAccount", "principalOrgId"))):
        return
    source = permission.text("sourceArn")
    if source is None or not source.strip("*") or _is_anybodys(source):
        found = "sourceArn and sourceAccount are absent" if source is None else f"sourceArn is {source}"
        yield (
            f"The permission {permission.name} lets {service} call the function on anybody's behalf: {found}. Set "
            "sourceArn to the resource it comes from, or sourceAccount."
        )


def _is_anybodys(source: str) -> bool:
    """Whether the account in an ARN is left open."""
    found = arns.parts(source)
    return found is not None and "*" in found[3]


def _has_source(statement: Statement) -> bool:
    """Whether its conditions hold the service to somebody."""
    if statement.keeps_strangers_out():
        return True
    return any(_says_whose(condition.key, condition.values) for condition in statement.conditions)


def _tells_only_source(statement: Statement) -> bool:
    """Whether all that its conditions hold to is for whom a service acts, which does not say which service."""
    keys = statement.condition_keys()
    return bool(keys) and all(key.startswith(("aws:sourcearn", "aws:sourceacc", "aws:sourceo")) for key in keys)


def _says_whose(key: str, given: Iterable[str]) -> bool:
    if key.startswith("kms:encryptioncontext") or key == "sts:externalid":
        return all(value.strip("*") for value in given)
    return False


def _name(service: str) -> str:
    """`logs` of `logs.eu-west-1.amazonaws.com`."""
    name = service.removesuffix(".cn").removesuffix(".amazonaws.com")
    head, _, tail = name.rpartition(".")
    return head if head and matches("*-*-?", tail) else name


def _missing_claim(statement: Statement, provider: str) -> str | None:
    """The claim of a web identity that a trust policy has to ask for, and does not."""
    if ":saml-provider/" in provider or not any(
        matches(action, "sts:AssumeRoleWithWebIdentity") for action in statement.actions
    ):
        return None
    issuer = provider.partition("oidc-provider/")[2] or provider
    if "*" in issuer:
        return None
    claims = [
        condition
        for condition in statement.conditions
        if condition.limits
        and condition.key.startswith(f"{issuer.lower()}:")
        and condition.values
        and all(map(_says_who, condition.values))
    ]
    if issuer.lower().startswith(_SHARED_PROVIDERS):
        claims = [one for one in claims if not one.key.endswith(":aud")]
    return None if claims else f"{issuer}:sub"


def _says_who(claim: str) -> bool:
    """Whether a claim begins with somebody, behind what it speaks of: `repo:shop/*` does, and `repo:*/orders` not."""
    return re.sub(r"^\w+:", "", claim)[:1] not in ("", "*", "?")
