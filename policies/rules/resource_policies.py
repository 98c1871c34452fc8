"""Trust and resource policies: no public access, and no AWS service acting for another customer."""

from collections.abc import Iterator
from dataclasses import replace

from ..aws.iam import conditions, permissions, public_access, trusted_accounts, web_identities
from ..aws.iam.access_inputs import RESOURCE_POLICIES
from ..aws.iam.policy_documents import (
    ANYONE,
    Statement,
    is_denied_to_outsiders,
    matches,
    public_statements,
    statements,
    unmatched_statement,
    unmatched_value,
)
from ..aws.iam.trusted_accounts import check_trusted_accounts
from ..model import resource_types
from ..model.finding import Complaints, Finding
from ..model.rule import check_each, rule, stack_rule
from ..model.stack import Resource, Stack

_OF_OTHER_RULES = (
    resource_types.QUEUE,
    resource_types.QUEUE_POLICY,
    resource_types.TOPIC,
    resource_types.TOPIC_POLICY,
)
CHECKED_FOR_PUBLIC_ACCESS = {type_: path for type_, path in RESOURCE_POLICIES.items() if type_ not in _OF_OTHER_RULES}
"""Resource policies, except for those of queues and topics, which have rules of their own."""
CHECKED_FOR_SOURCES = {
    type_: path for type_, path in RESOURCE_POLICIES.items() if type_ != resource_types.LOG_RESOURCE_POLICY
}
"""Resource policies, except for log groups, which EventBridge needs without a condition
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
        "elasticmapreduce",
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
"""Services that pass on the source when they assume a role: AWS's documentation has a condition on it.

The pages are "Cross-service confused deputy prevention" of each service (such as
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/cross-service-confused-deputy-prevention.html), and the page of
its role (such as https://docs.aws.amazon.com/config/latest/developerguide/iamrole-permissions.html). The pages of
Lambda, EC2, API Gateway, Glue, Firehose, Backup, CodeDeploy and S3 replication have none, CloudTrail's is about buckets
only, and for EKS it is optional.
"""
ASSUMING_BY_SOME_PAGES = frozenset({"ecs-tasks", "events"})
"""Services for which some of AWS's pages have such a condition and others have none: the finding is advisory.

For ECS, the page of the task role has one, and that of the task execution role has none
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html,
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html). For EventBridge, the page
about conditions has the rule's ARN and account, and Batch's page about the role has none
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html,
https://docs.aws.amazon.com/batch/latest/userguide/CWE_IAM_role.html).
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
"""Services that pass on the source when they call a resource: AWS's documentation has a condition on it, such as
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html."""
USING_KEYS = frozenset({"cloudfront", "delivery.logs", "guardduty", "logs", "sns"})
"""Services that pass on the source when they use a key. AWS's documentation has no condition for S3 and CloudTrail
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html)."""
WITHOUT_CONDITION = frozenset(
    {resource_types.TOPIC, resource_types.TOPIC_POLICY, *resource_types.KEYS, resource_types.KEY_POLICY}
)
"""Resources for which EventBridge supports no condition: topics, and the keys of topics."""
WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"

_GUIDE = "https://docs.aws.amazon.com/IAM/latest/UserGuide"


@rule(
    resource_types.ROLE,
    severity="critical",
    enforcement="mandatory",
    link=f"{_GUIDE}/reference_policies_elements_principal.html",
    parameters=trusted_accounts.PARAMETERS,
)
def role_trust_is_not_open(
    role: Resource, *, trusted_accounts: list[str], trusted_organizations: list[str]
) -> Complaints:
    """A role may be assumed only by specific principals, and by specific identities of an identity provider.

    Set Principal to specific services, roles or accounts, and conditions on an identity provider's claims.
    """
    listed = statements(role.value("assumeRolePolicy"))

    def check(statement: Statement) -> Complaints:
        if not statement.allows:
            return
        if _is_open_trust(statement, listed):
            yield Finding(
                f"The role {role.name} may be assumed by anyone: {statement.name} of assumeRolePolicy has "
                f"{_public_principal(statement)} with no condition that limits who may call.",
                "Set Principal to a specific service, role or account.",
                about=statement.identify(role),
            )
        providers = statement.principals.get("Federated", [])
        yield from check_each(providers, lambda provider: _check_provider(role, listed, statement, provider))
        if literal := unmatched_value(statement, *map(web_identities.issuer_of, providers)):
            literal = literal.prefix(
                f"The role {role.name} cannot be assumed by {statement.name} of assumeRolePolicy: "
            )
            yield replace(literal, about=statement.identify(role))

    yield from check_each(listed, check)
    yield from check_trusted_accounts(role, listed, trusted_accounts, trusted_organizations)


@stack_rule(
    *CHECKED_FOR_PUBLIC_ACCESS,
    *permissions.TYPES,
    resource_types.FUNCTION_URL,
    severity="critical",
    enforcement="mandatory",
    link=f"{_GUIDE}/reference_policies_elements_principal.html",
    parameters=trusted_accounts.PARAMETERS,
)
def resource_policy_is_not_open(
    holder: Resource, stack: Stack, *, trusted_accounts: list[str], trusted_organizations: list[str]
) -> Complaints:
    """The policy of a key, secret, bus, bucket, repository, table, function or the like grants no public access.

    Set Principal to specific accounts, roles or services, or add a condition on a specific account or source.
    """
    if holder.type == resource_types.FUNCTION_URL:
        yield from public_access.check_function_url(holder)
        return
    is_permission = holder.type in permissions.TYPES
    listed = (
        [permissions.statement(holder)]
        if is_permission
        else statements(holder.value(CHECKED_FOR_PUBLIC_ACCESS[holder.type]))
    )
    for statement in public_statements(listed):
        if public_access.is_blocked(stack, holder):
            break
        if is_permission:
            yield Finding(
                f"The permission {holder.name} grants public access: principal is *, and nothing limits who may call.",
                "Set principal to an account, a role or a service, or sourceArn, sourceAccount or principalOrgId to a "
                "fixed value.",
            )
        else:
            is_website = public_access.is_website(stack, holder)
            yield Finding(
                f"The policy of {holder.name} grants public access: {statement.name} allows "
                f"{statement.actions_text} to {_public_principal(statement)} with no "
                "condition that limits who may call.",
                public_access.advice(holder, statement, is_website=is_website),
                about=statement.identify(holder),
                is_advisory=is_website and public_access.only_reads_objects(statement),
            )
    yield from check_each(listed, lambda statement: unmatched_statement(holder, statement))
    yield from check_trusted_accounts(holder, listed, trusted_accounts, trusted_organizations)


@rule(
    resource_types.ROLE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/confused-deputy.html",
)
def trusted_service_acts_for_a_known_source(role: Resource) -> Complaints:
    """The trust policy for a service that supports it is limited to a source: an account, organization or resource.

    Set the conditions aws:SourceAccount and, where the resource is known, aws:SourceArn.
    """

    def check(statement: Statement) -> Complaints:
        advised = [service for service in statement.services if _short_name(service) in ASSUMING_BY_SOME_PAGES]
        required = [service for service in statement.services if _short_name(service) in ASSUMING]
        if not (required or advised) or not statement.allows or conditions.names_source(statement.conditions):
            return None
        return Finding(
            f"The role {role.name} may be assumed by {' and '.join(required or advised)} for any AWS customer: "
            f"{statement.name} of assumeRolePolicy has no condition on a specific source.",
            "Set Condition to aws:SourceAccount, and to aws:SourceArn where the resource is known.",
            about=statement.identify(role),
            is_advisory=not required,
        )

    yield from check_each(statements(role.value("assumeRolePolicy")), check)


@rule(
    *CHECKED_FOR_SOURCES,
    resource_types.FUNCTION_PERMISSION,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/confused-deputy.html",
)
def admitted_service_acts_for_a_known_source(holder: Resource) -> Complaints:
    """A resource policy for a service that supports it is limited to a source, except for EventBridge and topics.

    Set a condition on aws:SourceArn, or on aws:SourceAccount; for a Lambda permission, sourceArn or sourceAccount.
    """
    if holder.type == resource_types.FUNCTION_PERMISSION:
        yield from _check_permission(holder)
        return

    def check(statement: Statement) -> Complaints:
        supporting = USING_KEYS if holder.type in (*resource_types.KEYS, resource_types.KEY_POLICY) else SENDING
        services = [
            service
            for service in statement.services
            if _short_name(service) in supporting
            and not (_short_name(service) == "events" and holder.type in WITHOUT_CONDITION)
        ]
        if not services or not statement.allows or conditions.names_source(statement.conditions):
            return None
        # Public statements are reported by other rules.
        if statement.is_public():
            return None
        return Finding(
            f"The policy of {holder.name} admits {' and '.join(services)} for any AWS customer: {statement.name} has "
            "no condition on a specific source.",
            "Set Condition to aws:SourceArn of the calling resource, or to aws:SourceAccount.",
            about=statement.identify(holder),
        )

    yield from check_each(statements(holder.value(CHECKED_FOR_SOURCES[holder.type])), check)


def _public_principal(statement: Statement) -> str:
    """The element that makes a statement public."""
    return "NotPrincipal" if statement.has("NotPrincipal") else "Principal *"


def _is_open_trust(statement: Statement, others: list[Statement]) -> bool:
    """Whether a statement of a trust policy is public.

    A condition on a source does not restrict the service. Raises Undecided where an unknown value decides.
    """
    return (
        statement.is_public()
        and not conditions.names_known_caller(statement.conditions, by_source=False)
        and not is_denied_to_outsiders(statement, others)
    )


def _check_provider(role: Resource, others: list[Statement], statement: Statement, provider: str) -> Complaints:
    """Report a role that anyone with a token of a provider may assume."""
    if (
        provider == ANYONE
        or ":saml-provider/" in provider
        or not statement.covers(WEB_IDENTITY)
        or conditions.names_known_caller(statement.conditions, by_source=False)
        or web_identities.names_owner(provider, statement.conditions)
        or is_denied_to_outsiders(statement, others, WEB_IDENTITY, web_identities.claim_tests(provider))
    ):
        return None
    key, example = web_identities.owner_claim_example(provider)
    return Finding(
        f"The role {role.name} may be assumed by anyone with a token of {provider}: no condition in "
        f"{statement.name} of assumeRolePolicy names the complete owner of the token.",
        f"Set StringEquals or StringLike of {key} to {example}.",
        about=statement.identify(role),
    )


def _check_permission(permission: Resource) -> Iterator[Finding]:
    """The same for a Lambda permission."""
    statement = permissions.statement(permission)
    services = [service for service in statement.services if _short_name(service) in SENDING]
    if not services or conditions.names_source(statement.conditions):
        return
    source = permission.text("sourceArn")
    absent = [path for path in ("sourceArn", "sourceAccount") if not permission.has(path)]
    state = (
        f"sourceArn is {source}" if source else f"{' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} absent"
    )
    yield Finding(
        f"The permission {permission.name} lets {services[0]} invoke the function for any AWS customer: {state}.",
        "Set sourceArn to the calling resource, or sourceAccount.",
    )


def _short_name(service: str) -> str:
    """The short name of a service principal: `logs` of `logs.eu-west-1.amazonaws.com`."""
    name = service.removesuffix(".cn").removesuffix(".amazonaws.com")
    head, _, tail = name.rpartition(".")
    return head if head and matches("*-*-?", tail) else name
