"""Public access without a policy: by an access list, a share, or an API without authorization."""

from ..aws.iam import policy_documents
from ..aws.iam.access_inputs import ACCESS_BLOCKS, PUBLIC_GRANTS, SEARCH_DOMAINS
from ..aws.iam.public_access import WEBSITE
from ..model import resource_types, values
from ..model.finding import Complaints, Finding
from ..model.rule import check_each, rule, stack_rule
from ..model.stack import Resource, Stack

_PUBLIC_VALUES = {
    "uri": (
        "http://acs.amazonaws.com/groups/global/AllUsers",
        "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
    ),
    "group": ("all",),
    "sharedAccounts": ("all",),
    "accountIds": ("all", "All"),
    "allowUnauthenticatedIdentities": (True, "true"),
}
_PUBLIC_ACLS = ("public-read", "public-read-write", "authenticated-read")
"""Public values by the last part of the path, and public canned ACLs. "Authenticated" means any AWS account
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html)."""
_BLOCK_SETTINGS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_BUCKET_TYPES = (*resource_types.BUCKETS, *resource_types.BUCKET_ACLS, "aws:s3/bucketObject:BucketObject")

_IAM_GUIDE = "https://docs.aws.amazon.com/IAM/latest/UserGuide"
_S3_GUIDE = "https://docs.aws.amazon.com/AmazonS3/latest/userguide"
_API_GUIDE = "https://docs.aws.amazon.com/apigateway/latest/developerguide"


@rule(
    *PUBLIC_GRANTS,
    severity="critical",
    enforcement="mandatory",
    link=f"{_IAM_GUIDE}/access-analyzer-resources.html",
)
def resource_is_not_public(holder: Resource) -> Complaints:
    """A bucket, object, image, snapshot, document or identity pool is not shared with the public.

    Remove the public grant.
    """

    def check(path: str) -> Complaints:
        public = _PUBLIC_VALUES.get(path.rpartition(".")[2], _PUBLIC_ACLS)
        for value in values.get_all(holder.props, path):
            for grantee in str(value).split(",") if isinstance(value, str) else (value,):
                if grantee in public:
                    advice = f"Remove it from {path}"
                    if holder.type in _BUCKET_TYPES:
                        advice = f"{WEBSITE}; otherwise remove it from {path}"
                    return Finding(
                        f"{holder.name} is public: {path} has {str(grantee).lower() if grantee is True else grantee}.",
                        f"{advice}.",
                    )
        return None

    yield from check_each(PUBLIC_GRANTS[holder.type], check)


@rule(
    *ACCESS_BLOCKS,
    severity="medium",
    enforcement="advisory",
    link=f"{_S3_GUIDE}/access-control-block-public-access.html",
)
def bucket_blocks_public_access(block: Resource) -> Complaints:
    """The public access block of a bucket, an access point or an account has all four settings on.

    Set blockPublicAcls, blockPublicPolicy, ignorePublicAcls and restrictPublicBuckets to true.
    """
    inside = ACCESS_BLOCKS[block.type]
    if inside and not block.has(inside):
        return None
    # The provider's default is true for an access point, and false for a bucket or an account.
    off = [
        switch
        for switch in _BLOCK_SETTINGS
        if not block.flag(f"{inside}.{switch}" if inside else switch, absent=bool(inside))
    ]
    if not off:
        return None
    return Finding(
        f"The public access block {block.name} still permits public objects: {', '.join(off)} "
        f"{'is' if len(off) == 1 else 'are'} not true.",
        f"Set {'it' if len(off) == 1 else 'each'} to true. {WEBSITE}.",
    )


@stack_rule(
    resource_types.API_METHOD,
    resource_types.API_ROUTE,
    resource_types.HTTP_API,
    severity="high",
    enforcement="mandatory",
    link=f"{_API_GUIDE}/apigateway-control-access-to-api.html",
)
def api_authorizes_its_callers(holder: Resource, stack: Stack) -> Complaints:
    """A method or route of an API authorizes its callers, except for CORS preflight requests.

    Set the authorization type to AWS_IAM or to that of an authorizer.
    """
    path = "authorization" if holder.type == resource_types.API_METHOD else "authorizationType"
    if holder.type == resource_types.HTTP_API:
        # An API with a target has a default route, which cannot have an authorizer.
        if not holder.has("target"):
            return None
        state, advice = "target creates a route without an authorizer", "Declare the routes, with an authorizationType"
    else:
        if (holder.text(path) or "NONE") != "NONE" or holder.flag("apiKeyRequired", absent=False):
            return None
        state = f"{path} is {holder.text(path) or 'absent'}"
        advice = f"Set {path} to AWS_IAM or to that of an authorizer"
    if not _accepts_anyone(stack, holder):
        return None
    return Finding(
        f"{holder.name} is public: {state}.",
        f"{advice}, or make an exemption if the backend authenticates its callers.",
    )


@stack_rule(
    *SEARCH_DOMAINS,
    severity="critical",
    enforcement="mandatory",
    link="https://docs.aws.amazon.com/opensearch-service/latest/developerguide/ac.html",
)
def search_domain_is_not_open(holder: Resource, stack: Stack) -> Complaints:
    """A search domain without a VPC and fine-grained access control grants no public access.

    Set Principal to specific roles or accounts.
    """
    for statement in policy_documents.public_statements(policy_documents.statements(holder.value("accessPolicies"))):
        domain = holder
        if holder.type in resource_types.SEARCH_DOMAIN_POLICIES:
            domain = stack.target(holder, "domainName", *resource_types.SEARCH_DOMAINS) or values.raise_undecided(
                "no domain"
            )
        if domain.has("vpcOptions") or domain.flag("advancedSecurityOptions.enabled", absent=False):
            return
        yield Finding(
            f"The access policy of {holder.name} makes the domain public: {statement.name} allows "
            f"{statement.actions_text} to Principal *, and the domain is neither in a "
            "VPC nor has fine-grained access control.",
            "Set Principal to specific roles or accounts.",
            about=statement.identify(holder),
        )


@stack_rule(
    resource_types.ENDPOINT_SERVICE,
    resource_types.ENDPOINT_SERVICE_PRINCIPAL,
    severity="high",
    enforcement="mandatory",
    link="https://docs.aws.amazon.com/vpc/latest/privatelink/configure-endpoint-service.html",
)
def endpoint_service_is_not_open(holder: Resource, stack: Stack) -> Complaints:
    """A VPC endpoint service that accepts every connection lists the principals that may connect.

    List specific principals, or set acceptanceRequired to true.
    """
    named = holder.type == resource_types.ENDPOINT_SERVICE
    path = "allowedPrincipals" if named else "principalArn"
    if "*" not in holder.items(path):
        return None
    service = holder if named else stack.target(holder, "vpcEndpointServiceId", resource_types.ENDPOINT_SERVICE)
    if service is None or service.flag("acceptanceRequired", absent=False):
        return None
    return Finding(
        f"Anyone may connect to the endpoint service {service.name}: {path} of {holder.name} has *, and "
        "acceptanceRequired is not true.",
        "List specific accounts or roles, or set acceptanceRequired to true.",
    )


def _accepts_anyone(stack: Stack, holder: Resource) -> bool:
    """Whether an API accepts a request from anyone: it is not a CORS preflight, and nothing else restricts callers."""
    if holder.type == resource_types.API_METHOD:
        api = stack.target(holder, "restApi", resource_types.REST_API)
        return holder.text("httpMethod") != "OPTIONS" and not (api and _is_restricted(stack, api))
    api = holder if holder.type == resource_types.HTTP_API else stack.target(holder, "apiId", resource_types.HTTP_API)
    key = holder.text("routeKey") or "$default"
    protocol = (api.text("protocolType") if api else None) or ("HTTP" if " " in key else "")
    if protocol == "WEBSOCKET":
        # Callers are authorized once, when they connect.
        return key == "$connect"
    return protocol == "HTTP" and not key.startswith("OPTIONS ")


def _is_restricted(stack: Stack, api: Resource) -> bool:
    """Whether a REST API is private, or has a policy that is not public."""
    if api.has("endpointConfiguration") and "PRIVATE" in api.items("endpointConfiguration.types"):
        return True
    statements = policy_documents.statements_about(stack, api)
    return statements is not None and not any(policy_documents.public_statements(statements))
