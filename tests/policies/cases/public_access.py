"""Cases of the rules about public access without a policy document."""

from typing import Any

from tests.policies.programs import (
    UNKNOWN,
    Case,
    Made,
    allow,
    function,
    make,
    permission,
    policy,
    program,
    topic,
    topic_policy,
)

OPEN, PUBLIC, BLOCKS = "resource-policy-is-not-open", "resource-is-not-public", "bucket-blocks-public-access"
AUTHORIZES, SEARCH, SERVICE = "api-authorizes-its-callers", "search-domain-is-not-open", "endpoint-service-is-not-open"
TOPIC = "topic-policy-is-not-open"

EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"
LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"
VIRGINIA = "arn:aws:es:us-east-1:111122223333:domain/orders/*"

bucket = make("aws:s3/bucket:Bucket")
bucket_policy = make("aws:s3/bucketPolicy:BucketPolicy")
bucket_acl = make("aws:s3/bucketAcl:BucketAcl")
bucket_acl_v2 = make("aws:s3/bucketAclV2:BucketAclV2")
bucket_block = make("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
access_point = make("aws:s3/accessPoint:AccessPoint")
url = make("aws:lambda/functionUrl:FunctionUrl")
layer_permission = make("aws:lambda/layerVersionPermission:LayerVersionPermission")
file_system_policy = make("aws:efs/fileSystemPolicy:FileSystemPolicy")
image = make("aws:ec2/amiLaunchPermission:AmiLaunchPermission")
snapshot = make("aws:rds/snapshot:Snapshot")
document = make("aws:ssm/document:Document")
rest_api = make("aws:apigateway/restApi:RestApi")
rest_api_policy = make("aws:apigateway/restApiPolicy:RestApiPolicy")
method = make("aws:apigateway/method:Method")
http_api = make("aws:apigatewayv2/api:Api")
route = make("aws:apigatewayv2/route:Route")
domain = make("aws:opensearch/domain:Domain")
old_domain = make("aws:elasticsearch/domain:Domain")
domain_policy = make("aws:opensearch/domainPolicy:DomainPolicy")
endpoint_service = make("aws:ec2/vpcEndpointService:VpcEndpointService")
allowed_principal = make("aws:ec2/vpcEndpointServiceAllowedPrinciple:VpcEndpointServiceAllowedPrinciple")

on = {"blockPublicAcls": True, "blockPublicPolicy": True, "ignorePublicAcls": True, "restrictPublicBuckets": True}
search = policy(allow({"AWS": "*"}, "es:*", VIRGINIA))
f = function("f")
orders = http_api("orders", protocolType="HTTP")
chat = http_api("chat", protocolType="WEBSOCKET")
shop = rest_api("shop")
news = topic("news")


def gets(**more: Any) -> Made:
    """A method of the REST API."""
    return method("get", **{"restApi": shop.id, "httpMethod": "GET", "authorization": "NONE", **more})


def route_to(key: str, api: Made = orders, **more: Any) -> Made:
    """A route of an API."""
    return route("route", apiId=api.id, routeKey=key, **more)


def opens(action: Any, condition: Any = None) -> Made:
    """A public policy of the topic."""
    return topic_policy("guard", arn=news.arn, policy=policy(allow("*", action, news.arn, condition)))


CASES = [
    # --- resource-policy-is-not-open
    Case(
        OPEN,
        "variant",
        "the URL of a function",
        program(f, url("u", functionName=f.name, authorizationType="NONE")),
        {"u": ("authorizationType is NONE", "AWS_IAM")},
    ),
    Case(OPEN, "near miss", "the URL of a function, signed", program(f, url("u", authorizationType="AWS_IAM"))),
    Case(OPEN, "unknown", "how the URL of a function authorizes", program(url("u", authorizationType=UNKNOWN))),
    Case(
        OPEN,
        "variant",
        "the permission of a URL for everybody",
        program(
            permission(
                "p", function="f", action="lambda:InvokeFunctionUrl", principal="*", functionUrlAuthType="AWS_IAM"
            )
        ),
        {"p": "principal is *"},
    ),
    Case(
        OPEN,
        "variant",
        "a layer for all accounts",
        program(layer_permission("l", layerName="l", principal="*", action="lambda:GetLayerVersion")),
        {"l": "principal is *"},
    ),
    Case(
        OPEN,
        "near miss",
        "a layer for the accounts of the organisation",
        program(layer_permission("l", layerName="l", principal="*", organizationId="o-abcdefghij")),
    ),
    Case(
        OPEN,
        "variant",
        "a website, which is public on purpose",
        program(bucket("b", website={"indexDocument": "i"}, policy=policy(allow("*", "s3:GetObject", "x")))),
        {"b": ("website", "CloudFront", "exemption")},
    ),
    Case(
        OPEN,
        "variant",
        "objects that everybody may read, which may be a website",
        program(bucket_policy("b", policy=policy(allow("*", ["s3:GetObject"], "x")))),
        {"b": ("CloudFront", "exemption", "Principal")},
    ),
    Case(
        OPEN,
        "near miss",
        "a file system, by its mount targets",
        program(
            file_system_policy(
                "fs",
                policy=policy(
                    allow(
                        {"AWS": "*"},
                        "elasticfilesystem:ClientMount",
                        "*",
                        {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}},
                    )
                ),
            )
        ),
    ),
    # --- resource-is-not-public
    Case(
        PUBLIC,
        "typical",
        "a bucket with a public ACL",
        program(bucket("b", acl="public-read")),
        {"b": ("acl has public-read", "Cloud")},
    ),
    Case(
        PUBLIC,
        "variant",
        "access lists beside buckets",
        program(
            bucket_acl("a", acl="public-read-write"),
            bucket_acl_v2(
                "v2",
                accessControlPolicy={
                    "grants": [{"grantee": {"type": "Group", "uri": EVERYBODY}, "permission": "READ"}]
                },
            ),
        ),
        {"a": "public-read-write", "v2": "AllUsers"},
    ),
    Case(
        PUBLIC,
        "variant",
        "an image, a snapshot and a document",
        program(
            image("i", group="all"),
            snapshot("s", sharedAccounts=["all"]),
            document("d", permissions={"type": "Share", "accountIds": "All"}),
        ),
        {"i": "group has all", "s": "sharedAccounts has all", "d": "accountIds has All"},
    ),
    Case(PUBLIC, "compliant", "a private bucket", program(bucket("b", acl="private"))),
    Case(PUBLIC, "unknown", "the list", program(bucket("b", acl=UNKNOWN))),
    Case(PUBLIC, "unknown", "a grant", program(bucket("b", grants=[{"uri": UNKNOWN}]))),
    Case(
        PUBLIC,
        "near miss",
        "log delivery, and accounts by number",
        program(
            bucket("b", acl="log-delivery-write", grants=[{"type": "Group", "uri": LOG_DELIVERY}]),
            snapshot("s", sharedAccounts=["444455556666"]),
            document("d", permissions={"type": "Share", "accountIds": "444455556666"}),
        ),
    ),
    # --- bucket-blocks-public-access
    Case(
        BLOCKS,
        "typical",
        "one setting off",
        program(bucket_block("b", **{**on, "blockPublicPolicy": False})),
        {"b": "Policy is"},
    ),
    Case(
        BLOCKS,
        "variant",
        "left out, and of an access point",
        program(
            bucket_block("b", bucket="b", blockPublicAcls=True),
            access_point("p", publicAccessBlockConfiguration={"restrictPublicBuckets": False}),
        ),
        {"b": ("blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets are"), "p": "restrictPublicBuckets is"},
    ),
    Case(BLOCKS, "compliant", "all four settings on", program(bucket_block("b", **on))),
    Case(BLOCKS, "unknown", "one of four", program(bucket_block("b", **{**on, "ignorePublicAcls": UNKNOWN}))),
    Case(BLOCKS, "near miss", "an access point, on by default", program(access_point("p"))),
    # --- api-authorizes-its-callers
    Case(
        AUTHORIZES,
        "typical",
        "a method without authorization",
        program(shop, gets()),
        {"get": ("authorization is NONE", "exemption")},
    ),
    Case(AUTHORIZES, "variant", "a route", program(orders, route_to("GET /orders")), {"route": "is absent"}),
    Case(
        AUTHORIZES,
        "variant",
        "any route",
        program(orders, route_to("$default", authorizationType="NONE")),
        {"route": "NON"},
    ),
    Case(AUTHORIZES, "variant", "a connection", program(chat, route_to("$connect", chat)), {"route": "is absent"}),
    Case(
        AUTHORIZES,
        "variant",
        "a route that comes with the API",
        program(f, http_api("quick", protocolType="HTTP", target=f.arn)),
        {"quick": "without an authorizer"},
    ),
    Case(
        AUTHORIZES,
        "variant",
        "a policy for everybody",
        program(
            shop,
            gets(),
            rest_api_policy("p", restApiId=shop.id, policy=policy(allow("*", "execute-api:Invoke", "execute-api:/*"))),
        ),
        {"get": "NONE"},
    ),
    Case(
        AUTHORIZES,
        "compliant",
        "a method with an authorizer",
        program(shop, orders, gets(authorization="CUSTOM"), route_to("GET /orders", authorizationType="JWT")),
    ),
    Case(
        AUTHORIZES, "unknown", "how a route authorizes", program(orders, route_to("GET /", authorizationType=UNKNOWN))
    ),
    Case(
        AUTHORIZES,
        "unknown",
        "the policy of the API",
        program(shop, gets(), rest_api_policy("p", restApiId=shop.id, policy=UNKNOWN)),
    ),
    *(
        Case(AUTHORIZES, "near miss", what, program(shop, orders, chat, *given))
        for what, given in {
            "preflight requests": [gets(httpMethod="OPTIONS")],
            "preflight requests of a route": [route_to("OPTIONS /{proxy+}")],
            "a key": [gets(apiKeyRequired=True)],
            "a message on a connection": [route_to("$default", chat)],
            "a policy for one VPC": [
                gets(),
                rest_api_policy(
                    "p",
                    restApiId=shop.id,
                    policy=policy(
                        allow("*", "execute-api:Invoke", "*", {"StringEquals": {"aws:SourceVpc": "vpc-0a1b2c3d"}})
                    ),
                ),
            ],
        }.items()
    ),
    Case(
        AUTHORIZES,
        "near miss",
        "a private API",
        program(
            rest_api("inner", endpointConfiguration={"types": "PRIVATE"}),
            gets(restApi=rest_api("inner").id),
        ),
    ),
    # --- search-domain-is-not-open
    Case(
        SEARCH,
        "typical",
        "a domain with Principal *",
        program(domain("d", accessPolicies=search)),
        {"d": ("es:*", "fine-grained")},
    ),
    Case(
        SEARCH,
        "variant",
        "a policy beside it",
        program(domain("d"), domain_policy("p", domainName=domain("d").name, accessPolicies=search)),
        {"p": "es:*"},
    ),
    Case(
        SEARCH,
        "compliant",
        "a domain for one role",
        program(
            old_domain("d", accessPolicies=policy(allow({"AWS": "arn:aws:iam::111122223333:role/a"}, "es:*", VIRGINIA)))
        ),
    ),
    Case(SEARCH, "unknown", "the policy", program(domain("d", accessPolicies=UNKNOWN))),
    Case(SEARCH, "near miss", "in a VPC", program(domain("d", accessPolicies=search, vpcOptions={"subnetIds": ["s"]}))),
    Case(
        SEARCH,
        "near miss",
        "with users of its own",
        program(
            domain("d", advancedSecurityOptions={"enabled": True}),
            domain_policy("p", domainName=domain("d").name, accessPolicies=search),
        ),
    ),
    # --- endpoint-service-is-not-open
    Case(
        SERVICE,
        "typical",
        "a service for every principal",
        program(endpoint_service("s", allowedPrincipals=["*"], acceptanceRequired=False)),
        {"s": ("allowedPrincipals", "acceptanceRequired")},
    ),
    Case(
        SERVICE,
        "variant",
        "a principal beside it",
        program(
            endpoint_service("s", acceptanceRequired=False),
            allowed_principal("p", vpcEndpointServiceId=endpoint_service("s").id, principalArn="*"),
        ),
        {"p": "principalArn"},
    ),
    Case(
        SERVICE,
        "compliant",
        "a service for one account",
        program(endpoint_service("s", allowedPrincipals=["arn:aws:iam::444455556666:root"], acceptanceRequired=False)),
    ),
    Case(
        SERVICE,
        "unknown",
        "whether connections are accepted",
        program(endpoint_service("s", allowedPrincipals=["*"], acceptanceRequired=UNKNOWN)),
    ),
    Case(
        SERVICE,
        "near miss",
        "each connection is accepted",
        program(endpoint_service("s", allowedPrincipals=["*"], acceptanceRequired=True)),
    ),
    # --- topic-policy-is-not-open
    Case(
        TOPIC,
        "typical",
        "subscribing with Principal *",
        program(news, opens("sns:Subscribe")),
        {"guard": "sns:Subscribe"},
        silent_at_preview=True,
    ),
    *(
        Case(
            TOPIC,
            "variant",
            what,
            program(topic("news", policy=policy(allow("*", action, "*", given)))),
            {"news": words},
        )
        for what, action, given, words in [
            ("its settings", ["sns:SetTopicAttributes", "sns:GetTopicAttributes"], None, "sns:SetTopicAttributes"),
            ("its policy", "SNS:AddPermission", None, "SNS:AddPermission"),
            ("by https", "sns:Subscribe", {"StringEquals": {"sns:Protocol": "https"}}, "sns:Endpoint"),
            ("at any endpoint", "sns:Subscribe", {"StringLike": {"sns:Endpoint": "*"}}, "sns:Subscribe"),
        ]
    ),
    Case(
        TOPIC,
        "variant",
        "strangers are kept from publishing alone",
        program(
            topic(
                "news",
                policy=policy(
                    allow("*", "sns:*", "*"),
                    {
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "sns:Publish",
                        "Resource": "*",
                        "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}},
                    },
                ),
            )
        ),
        {"news": "sns:*"},
    ),
    Case(
        TOPIC,
        "compliant",
        "subscribing by the account",
        program(news, topic_policy("guard", policy=policy(allow({"AWS": "111122223333"}, "sns:Subscribe", "*")))),
    ),
    Case(TOPIC, "unknown", "the policy", program(topic("news", policy=UNKNOWN))),
    Case(TOPIC, "near miss", "publishing, of which another rule speaks", program(news, opens("sns:Publish"))),
    Case(
        TOPIC,
        "near miss",
        "addresses of one company",
        program(news, opens("sns:Subscribe", {"StringLike": {"sns:Endpoint": "*@example.com"}})),
    ),
    Case(
        TOPIC,
        "near miss",
        "the owner, as AWS's own policy does",
        program(news, opens(["sns:Subscribe", "sns:Publish"], {"StringEquals": {"AWS:SourceOwner": "111122223333"}})),
    ),
]
