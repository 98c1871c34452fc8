"""Valid and invalid settings of events, retention and notifications."""

from .wrong import ACCOUNT, ARABIC_7, ARABIC_12, DEEP, FAR_TOO_DEEP, LOOP, NUMBERS, without

ROLE = "arn:aws:iam::111122223333:role/sns-to-firehose"


def subscription(**changes):
    return {"topic": "failures", "protocol": "email", "endpoint": "team@example.com", **changes}


SLACK = "https://hooks.slack.com/services/T0000/B0000/sEcReT"
KEY = "0123456789abcdef0123456789ABCDEF"


def slack(**changes):
    return {"topic": "critical", "protocol": "slack", "endpoint": SLACK, **changes}


def webhook(**changes):
    return slack(protocol="webhook", endpoint="https://example.com:8443/hook?token=x", **changes)


def pagerduty(**changes):
    return {**slack(protocol="pagerduty", endpoint=KEY), **changes}


def rule(**changes):
    return {"name": "instances", "event_pattern": {"source": ["aws.ec2"]}, "to": "both", **changes}


def sqs(name="inbox"):
    return f"arn:aws:sqs:{ACCOUNT}:{name}"


INSTANCES = {"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"]}
OTHER = {
    "subscriptions": [
        {"topic": "critical", "protocol": "email", "endpoint": "on-call@example.com"},
        {"topic": "failures", "protocol": "sqs", "endpoint": "arn:aws:sqs:eu-west-1:111122223333:inbox"},
        slack(owners=["payments"]),
        pagerduty(filter_policy={"severity": ["OUTAGE"]}, service_region="eu"),
        webhook(topic="remediation", headers={"X-Api-Key": "sEcReT"}),
    ],
    "queue_retention_days": 2,
    "dead_letter_retention_days": 3,
    "extra_rules": [{"name": "instances", "event_pattern": INSTANCES, "to": "both"}],
}
"""Another value than the default for each; all of them can be deployed together."""
GOOD = [
    (
        "subscriptions",
        [
            [],
            [subscription()],
            [subscription(), subscription(topic="critical"), subscription(endpoint="other@example.com")],
            [subscription(protocol="email-json")],
            [subscription(protocol="sms", endpoint="+4915112345678")],
            [subscription(protocol="https", endpoint="https://user:secret@example.com:8443/hook?x=1#y")],
            [subscription(protocol="http", endpoint="http://[2001:db8::1]:80/")],
            [subscription(protocol="sqs", endpoint=sqs(), raw_message_delivery=True)],
            [subscription(protocol="sqs", endpoint="arn:aws-us-gov:sqs:us-gov-west-1:111122223333:inbox")],
            [subscription(raw_message_delivery=False)],
            [subscription(name="On-call_1.x")],
            [subscription(name="0a1b2c3d"), subscription(name="12345678", endpoint="other@example.com")],
            [subscription(filter_policy={"detail": {"eventName": ["RotationFailed", {"prefix": "Rot"}]}})],
            [subscription(protocol="lambda", endpoint=f"arn:aws:lambda:{ACCOUNT}:function:pager:live")],
            [subscription(protocol="application", endpoint=f"arn:aws:sns:{ACCOUNT}:endpoint/GCM/app/5e3e")],
            [
                subscription(
                    protocol="firehose",
                    endpoint=f"arn:aws:firehose:{ACCOUNT}:deliverystream/archive",
                    subscription_role_arn=ROLE,
                )
            ],
            [slack(), slack(topic="remediation", filter_policy={"severity": ["OUTAGE", {"prefix": "AT"}]})],
            [slack(owners=["payments", "Zahlungen & Co"]), slack(name="rest", endpoint=f"{SLACK}2", owners=["*"])],
            [slack(endpoint="https://hooks.slack-gov.com/services/T0/B0/x"), subscription()],
            [slack(protocol="teams", endpoint="https://prod-1.westeurope.logic.azure.com:443/workflows/a?sig=b_-c")],
            [pagerduty(), pagerduty(endpoint=KEY[::-1], service_region="eu")],
            [webhook(headers={"Authorization": "Bearer x", "X-Api-Key": "y"}), webhook(topic="remediation")],
            [slack(endpoint=f"{SLACK}{number}") for number in range(50)],
        ],
    ),
    ("queue_retention_days", [1, 7, 14]),
    ("dead_letter_retention_days", [7, 14]),
    (
        "extra_rules",
        [
            [],
            [rule()],
            [rule(), rule(name="Failover_2.x-y", to="audit"), rule(name="z", to="failures")],
            [rule(event_pattern={"detail": {"state": [{"anything-but": ["running"]}], "code": [1, True, None]}})],
            [rule(event_pattern={"$or": [{"source": ["a"]}, {"detail-type": ["b"]}]})],
        ],
    ),
]
BAD = [
    ("subscriptions", "a list", [None, "x", 1, {}, {"topic": "failures"}]),
    ("subscriptions", "a map of topic, protocol, endpoint", [[None], ["team@example.com"], [[]]]),
    ("subscriptions", "have endpoint", [[without(subscription(), "endpoint")]]),
    ("subscriptions", "not have endpiont", [[subscription(endpiont="x")]]),
    (
        "subscriptions",
        "one of failures, remediation, critical",
        [[subscription(topic=x)] for x in (None, "", "Failures", ["failures"], {}, 1)],
    ),
    (
        "subscriptions",
        "one of http, https, email, email-json, sms, sqs, lambda, application, firehose, slack, teams, pagerduty, "
        "webhook",
        [[subscription(protocol=x)] for x in (None, "", "slak", "HTTPS", ["email"], {}, 1, True)],
    ),
    (
        "subscriptions",
        "an e-mail address for protocol email",
        [[subscription(endpoint=x)] for x in (None, "", "team", "a@b", "a b@example.com", "a@b@c.de", "ä@c.de", ["a"])]
        + [[subscription(endpoint="team@example.com\n")], [subscription(endpoint={"a": DEEP})]],
    ),
    (
        "subscriptions",
        "a URL that begins with https://",
        [
            [subscription(protocol="https", endpoint=x)]
            for x in ("http://example.com", "https://", "https://a b", "https://[::1", "https://x:99999", "https://x\n")
        ],
    ),
    (
        "subscriptions",
        "a phone number",
        [
            [subscription(protocol="sms", endpoint=x)]
            for x in ("015112345678", "+0151", "+1555", "+1" + ARABIC_7 * 9, 15551234567)
        ],
    ),
    (
        "subscriptions",
        "the ARN of a standard SQS queue",
        [
            [subscription(protocol="sqs", endpoint=x)]
            for x in (sqs("in.fifo"), sqs("ünbox"), sqs("x" * 81), f"arn:aws:sqs:eu-west-1:{ARABIC_12}:inbox", "inbox")
        ],
    ),
    ("subscriptions", "the ARN of a Lambda function", [[subscription(protocol="lambda", endpoint=sqs())]]),
    (
        "subscriptions",
        "true or false",
        [[subscription(protocol="sqs", endpoint=sqs(), raw_message_delivery=x)] for x in ("true", 1, [])],
    ),
    ("subscriptions", "left out but for sqs, http, https, firehose", [[subscription(raw_message_delivery=True)]]),
    (
        "subscriptions",
        "as SNS writes filter policies",
        [
            [subscription(filter_policy=x)]
            for x in ({}, [], "x", {"a": "b"}, {"a": {"b": 1}}, {"a": []}, {"a": {1, 2}}, FAR_TOO_DEEP, LOOP)
        ],
    ),
    ("subscriptions", "left out but for firehose", [[subscription(subscription_role_arn=ROLE)]]),
    (
        "subscriptions",
        "the ARN of the role that SNS assumes",
        [
            [
                subscription(
                    protocol="firehose",
                    endpoint=f"arn:aws:firehose:{ACCOUNT}:deliverystream/archive",
                    **({} if x == "absent" else {"subscription_role_arn": x}),
                )
            ]
            for x in ("absent", None, "", "archive", 1, sqs(), [ROLE])
        ],
    ),
    (
        "subscriptions",
        "1 to 24 letters, digits, '.', '_' or '-', and not a number of up to 7 digits",
        [[subscription(name=x)] for x in ("", "a b", "x" * 25, "ä", "x\n", 1, ["x"], "a/b", "0", "12", "1234567")],
    ),
    ("subscriptions", "be there once", [[subscription(), subscription(filter_policy={"a": ["b"]})]]),
    ("subscriptions", "be there once", [[slack(), slack(owners=["a"])]]),
    (
        "subscriptions",
        "the URL of an incoming webhook",
        [
            [slack(endpoint=x)]
            for x in (
                "https://example.com/x",
                "https://hooks.slack.com/workflows/T/A/1/x",
                f"{SLACK}?x=1",
                KEY,
                1,
                None,
            )
        ],
    ),
    (
        "subscriptions",
        "the URL of a webhook of the Workflows app",
        [
            [slack(protocol="teams", endpoint=x)]
            for x in (
                "https://contoso.webhook.office.com/webhookb2/a@b/IncomingWebhook/c/d",
                "https://outlook.office.com/webhook/a",
                "http://example.com/x",
                "https://",
                "https://example.com/x#y",
                "https://exämple.com/",
                f"https://example.com/{'x' * 2048}",
            )
        ],
    ),
    (
        "subscriptions",
        "the integration key of an Events API v2 integration",
        [[pagerduty(endpoint=x)] for x in ("", KEY[1:], f"{KEY}0", "https://events.pagerduty.com/v2/enqueue", 1)],
    ),
    ("subscriptions", "remediation or critical for protocol slack", [[slack(topic="failures")]]),
    ("subscriptions", "critical for protocol pagerduty", [[pagerduty(topic="remediation")]]),
    ("subscriptions", "left out for slack, which has a form", [[slack(raw_message_delivery=True)]]),
    ("subscriptions", "left out but for firehose", [[slack(subscription_role_arn=ROLE)]]),
    ("subscriptions", "left out but for slack, teams, pagerduty, webhook", [[subscription(owners=["payments"])]]),
    ("subscriptions", "left out but for webhook", [[slack(headers={"a": "b"})], [subscription(headers={"a": "b"})]]),
    ("subscriptions", "left out but for pagerduty", [[slack(service_region="eu")]]),
    ("subscriptions", "one of us, eu", [[pagerduty(service_region=x)] for x in ("", "EU", "apac", 1, ["eu"])]),
    (
        "subscriptions",
        "a list of values of the tag rotation-guard:owner",
        [[slack(owners=x)] for x in ([], "payments", [1], [""], ["x" * 257], ["a", "a"], {"a": 1})],
    ),
    ("subscriptions", "a map of 1 to 100 headers", [[webhook(headers=x)] for x in ({}, [], "a", 1)]),
    (
        "subscriptions",
        "a map of names of headers",
        [[webhook(headers=x)] for x in ({"a b": "c"}, {"a": "b", "A": "c"})],
    ),
    ("subscriptions", "EventBridge sets or removes it", [[webhook(headers={"Host": "x"})]]),
    (
        "subscriptions",
        "text of 1 to 512 printable ASCII characters",
        [[webhook(headers={"a": x})] for x in ("", " a", "ä", "a\n", "x" * 513, 1, None)],
    ),
    (
        "subscriptions",
        "a map of fields of the event's detail",
        [[slack(filter_policy=x)] for x in ({}, "x", {"a": "b"}, {"a": []}, FAR_TOO_DEEP, LOOP)],
    ),
    (
        "subscriptions",
        "without incidents_table, message, turn",
        [
            [slack(filter_policy={"turn": ["opened"]})],
            [slack(filter_policy={"$or": [{"incidents_table": ["x"]}, {"severity": ["OUTAGE"]}]})],
            [slack(filter_policy={"owner": ["a"]}, owners=["b"])],
        ],
    ),
    (
        "subscriptions",
        "an event pattern has at most 2048 characters",
        [[slack(owners=[f"{n}" * 200 for n in range(9)])]],
    ),
    (
        "subscriptions",
        "at most 50 with the protocols slack, teams, pagerduty, webhook",
        [[slack(endpoint=f"{SLACK}{number}") for number in range(51)]],
    ),
    ("queue_retention_days", "an integer from 1 to 14", [*NUMBERS, 0, 15]),
    ("dead_letter_retention_days", "an integer from 1 to 14", [*NUMBERS, 0, 15]),
    ("dead_letter_retention_days", "at least queue_retention_days, 7,", [1, 6]),
    ("extra_rules", "a list", [None, "x", {}]),
    ("extra_rules", "a map of name, event_pattern, to", [[None], ["x"], [[]]]),
    ("extra_rules", "have to", [[without(rule(), "to")]]),
    ("extra_rules", "not have state", [[rule(state="DISABLED")]]),
    (
        "extra_rules",
        "1 to 24 letters",
        [[rule(name=x)] for x in (None, "", "a b", "x" * 25, "ä", "x\n", 1, ["x"], "a/b")],
    ),
    ("extra_rules", "unique among the extra rules", [[rule(), rule(to="audit")]]),
    ("extra_rules", "one of failures, audit, both", [[rule(to=x)] for x in (None, "", "queue", ["audit"], {}, 1)]),
    (
        "extra_rules",
        "as EventBridge writes event patterns",
        [
            [rule(event_pattern=x)]
            for x in (
                None,
                {},
                [],
                '{"source": ["aws.ec2"]}',
                {"source": "aws.ec2"},
                {"source": []},
                {"detail": {}},
                {"detail": {"state": "x"}},
                {"detail": {"state": None}},
                {"source": [float("nan")]},
                {"source": [{1}]},
                {("a", "b"): ["c"]},
                FAR_TOO_DEEP,
                LOOP,
            )
        ],
    ),
    (
        "extra_rules",
        "at most 2048 characters",
        [[rule(event_pattern={"source": ["x" * 2049]})], [rule(event_pattern={"source": ["x" * 2030]})]],
    ),
]
