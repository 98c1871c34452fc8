"""Policies that say who may come in: nobody is let in unknown, and no AWS service on a stranger's behalf."""

from collections.abc import Iterator

from .. import conditions, kinds, permissions, trusted_accounts, web_identities
from ..policy_documents import (
    ANYONE,
    Statement,
    is_denied_to_outsiders,
    matches,
    open_statements,
    statements,
    unmatched_statement,
    unmatched_value,
)
from ..rule import Complaints, each, rule
from ..stack import Resource
from ..trusted_accounts import complain_of_outsiders

CLOSED = {
    kinds.KEY: "policy",
    kinds.KEY_POLICY: "policy",
    kinds.SECRET: "policy",
    kinds.SECRET_POLICY: "policy",
    kinds.EVENT_BUS_POLICY: "policy",
    **dict.fromkeys(kinds.BUCKETS, "policy"),
    kinds.BUCKET_POLICY: "policy",
    kinds.REPOSITORY_POLICY: "policy",
    kinds.TABLE_POLICY: "policy",
}
"""Where policies of resources are written, but for queues and topics: these are another subject's."""
GUARDED = CLOSED | {
    kinds.QUEUE: "policy",
    kinds.QUEUE_POLICY: "policy",
    kinds.TOPIC: "policy",
    kinds.TOPIC_POLICY: "policy",
}
"""The same, and queues and topics."""

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
WITHOUT_CONDITION = frozenset({kinds.TOPIC, kinds.TOPIC_POLICY, kinds.KEY, kinds.KEY_POLICY})
"""Where EventBridge is let in without a condition, or not at all: a topic, and the key of one."""
WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"

_GUIDE = "https://docs.aws.amazon.com/IAM/latest/UserGuide"


@rule(
    kinds.ROLE,
    severity="critical",
    enforcement="mandatory",
    link=f"{_GUIDE}/reference_policies_elements_principal.html",
    parameters=trusted_accounts.PARAMETERS,
)
def role_trust_is_not_open(
    role: Resource, *, trusted_accounts: list[str], trusted_organizations: list[str]
) -> Complaints:
    """A role is assumed only by principals that are named, and by somebody in particular of an identity provider."""
    found = statements(role.value("assumeRolePolicy"))

    def judge(statement: Statement) -> Complaints:
        if not statement.allows:
            return
        if _is_open_trust(statement, found):
            yield (
                f"The role {role.name} may be assumed by everybody: {statement.name} of assumeRolePolicy has "
                f"{_everybody(statement)} without a condition that says who. Set Principal to the service, role or "
                "account meant."
            )
        providers = statement.principals.get("Federated", [])
        yield from each(providers, lambda provider: _open_provider(role, found, statement, provider))
        if literal := unmatched_value(statement, *map(web_identities.issuer_of, providers)):
            yield f"The role {role.name} cannot be assumed as {statement.name} of assumeRolePolicy says: {literal}"

    yield from each(found, judge)
    yield from complain_of_outsiders(role, found, trusted_accounts, trusted_organizations)


@rule(
    *CLOSED,
    *permissions.TYPES,
    severity="critical",
    enforcement="mandatory",
    link=f"{_GUIDE}/reference_policies_elements_principal.html",
    parameters=trusted_accounts.PARAMETERS,
)
def resource_policy_is_not_open(
    holder: Resource, *, trusted_accounts: list[str], trusted_organizations: list[str]
) -> Complaints:
    """A key, secret, bus, bucket, repository, table or function is not open to the world."""
    is_permission = holder.type in permissions.TYPES
    found = [permissions.statement(holder)] if is_permission else statements(holder.value(CLOSED[holder.type]))
    for statement in open_statements(found):
        if is_permission:
            yield (
                f"The permission {holder.name} lets everybody in: principal is * and nothing says who. Set principal "
                "to an account, a role or a service, or sourceArn, sourceAccount or principalOrgId to a fixed value."
            )
        else:
            yield (
                f"The policy of {holder.name} lets everybody in: {statement.name} allows "
                f"{', '.join(statement.actions) or 'all but some actions'} to {_everybody(statement)} without a "
                "condition that says whose. Set Principal to an account, a role or a service."
            )
    yield from each(found, lambda one: unmatched_statement(holder, one))
    yield from complain_of_outsiders(holder, found, trusted_accounts, trusted_organizations)


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
        if not services or not statement.allows or conditions.names_source(statement.conditions):
            return None
        return (
            f"The role {role.name} may be assumed by {' and '.join(services)} on anybody's behalf: {statement.name} of "
            "assumeRolePolicy has no condition that holds its source to somebody. Set Condition to aws:SourceAccount, "
            "and to aws:SourceArn where the resource is known."
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
        honouring = USING_KEYS if holder.type in (kinds.KEY, kinds.KEY_POLICY) else SENDING
        services = [
            one
            for one in statement.services
            if _name(one) in honouring and not (_name(one) == "events" and holder.type in WITHOUT_CONDITION)
        ]
        if not services or not statement.allows or conditions.names_source(statement.conditions):
            return None
        return (
            f"The policy of {holder.name} lets {' and '.join(services)} in on anybody's behalf: {statement.name} has "
            "no condition that holds its source to somebody. Set Condition to aws:SourceArn of the resource it comes "
            "from, or to aws:SourceAccount."
        )

    yield from each(statements(holder.value(GUARDED[holder.type])), judge)


def _everybody(statement: Statement) -> str:
    """How a statement says that it is for everybody."""
    return "NotPrincipal" if statement.has("NotPrincipal") else "Principal *"


def _is_open_trust(statement: Statement, found: list[Statement]) -> bool:
    """Whether a trust policy lets everybody assume a role.

    Conditions on whom a service acts for do not say which service. Raises Undecided where nobody can tell.
    """
    return (
        statement.opens_to_anyone()
        and not conditions.names_somebody(statement.conditions, by_source=False)
        and not is_denied_to_outsiders(statement, found)
    )


def _open_provider(role: Resource, found: list[Statement], statement: Statement, provider: str) -> Complaints:
    """What to say where everybody who has a token of a provider may assume a role."""
    if (
        provider == ANYONE
        or ":saml-provider/" in provider
        or not statement.covers(WEB_IDENTITY)
        or conditions.names_somebody(statement.conditions, by_source=False)
        or web_identities.names_owner(provider, statement.conditions)
        or is_denied_to_outsiders(statement, found, WEB_IDENTITY, web_identities.claim_tests(provider))
    ):
        return None
    key, example = web_identities.wanted(provider)
    return (
        f"The role {role.name} may be assumed by everybody who has a token of {provider}: no condition in "
        f"{statement.name} of assumeRolePolicy names the owner of the token whole. Set StringEquals or StringLike of "
        f"{key} to {example}."
    )


def _permission(permission: Resource) -> Iterator[str]:
    """The same, of what a Lambda permission has in the place of conditions."""
    statement = permissions.statement(permission)
    services = [one for one in statement.services if _name(one) in SENDING]
    if not services or conditions.names_source(statement.conditions):
        return
    source = permission.text("sourceArn")
    absent = [path for path in ("sourceArn", "sourceAccount") if not permission.has(path)]
    found = (
        f"sourceArn is {source}" if source else f"{' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} absent"
    )
    yield (
        f"The permission {permission.name} lets {services[0]} call the function on anybody's behalf: {found}. Set "
        "sourceArn to the resource it comes from, or sourceAccount."
    )


def _name(service: str) -> str:
    """`logs` of `logs.eu-west-1.amazonaws.com`."""
    name = service.removesuffix(".cn").removesuffix(".amazonaws.com")
    head, _, tail = name.rpartition(".")
    return head if head and matches("*-*-?", tail) else name
