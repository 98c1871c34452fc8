"""Types of resources, and a subscription for each receiver, for the tests of integrations."""

CONNECTION = "aws:cloudwatch/eventConnection:EventConnection"
DESTINATION = "aws:cloudwatch/eventApiDestination:EventApiDestination"
RULE, TARGET = "aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"
QUEUE, QUEUE_POLICY = "aws:sqs/queue:Queue", "aws:sqs/queuePolicy:QueuePolicy"
ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
KEY = "0123456789abcdef0123456789ABCDEF"
SLACK = "https://hooks.slack.com/services/T0000/B0000/sEcReT"
TEAMS = (
    "https://prod-1.westeurope.logic.azure.com:443/workflows/abc/triggers/manual/paths/invoke"
    "?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=sEcReT-sig_1"
)
WEBHOOK = "https://example.com/hook?token=sEcReT"
ENDPOINTS = {"slack": SLACK, "teams": TEAMS, "pagerduty": KEY, "webhook": WEBHOOK}


def subscription(protocol, topic="critical", **more):
    return {"topic": topic, "protocol": protocol, "endpoint": ENDPOINTS[protocol], **more}
