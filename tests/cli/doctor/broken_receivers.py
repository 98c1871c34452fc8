"""Each way in which findings and incidents do not reach other systems: what breaks it, the link, reason and fix."""

from local.mocks.recording import ACCOUNT, REGION

from .broken_deliveries import change_pattern
from .broken_functions import withdraw

HERE = f"{REGION}:{ACCOUNT}"
SLACK, PAGER = "remediation-slack-team", "critical-pagerduty-on-call"


def forget_mapping(aws, short):
    aws.mappings = [one for one in aws.mappings if aws.outputs["function_names"][short] not in one["FunctionArn"]]


def forget_rule(aws, short):
    name = aws.rule(short)["Name"]
    del aws.rules[name], aws.targets[name]


CASES = {
    # --- findings in Security Hub
    "Security Hub that is off": (
        lambda aws: aws.hubs.clear(),
        "security hub: enabled",
        f"Security Hub is not enabled for the account {ACCOUNT} in {REGION}",
        "aws securityhub enable-security-hub",
    ),
    "a rule of findings that was disabled": (
        lambda aws: aws.rule("findings").update(State="DISABLED"),
        "rule: findings",
        "is DISABLED",
        "aws events enable-rule --name rotation-guard-findings-0a1b2c3",
    ),
    "a rule of findings for incidents alone": (
        lambda aws: change_pattern(aws, "findings", **{"detail-type": ["Rotation Incident Resolved"]}),
        "rule: findings",
        "does not match the recorded events secret-status-changed",
        "pulumi up",
    ),
    "a rule of findings for another stack": (
        lambda aws: change_pattern(aws, "findings", detail={"incidents_table": ["another"]}),
        "rule: findings",
        "does not match the recorded events secret-status-changed, incident-resolved",
        "pulumi up",
    ),
    "a rule of findings without its target": (
        lambda aws: aws.targets[aws.rule("findings")["Name"]].clear(),
        "rule: findings",
        "has no target findings",
        "pulumi up",
    ),
    "a rule of findings with dead letters elsewhere": (
        lambda aws: aws.target("findings").update(DeadLetterConfig={"Arn": f"arn:aws:sqs:{HERE}:other"}),
        "rule: findings",
        f"go to arn:aws:sqs:{HERE}:other",
        "pulumi up",
    ),
    "a queue of findings that admits nobody": (
        lambda aws: aws.queue("findings_queue_url").pop("Policy"),
        "queue: findings",
        "does not admit events.amazonaws.com for findings",
        "sqs:SendMessage",
    ),
    "a queue of findings without dead letters": (
        lambda aws: aws.queue("findings_queue_url").pop("RedrivePolicy"),
        "queue: findings",
        "Events that importer fails for have no dead-letter queue",
        "pulumi up",
    ),
    "nothing reads the queue of findings": (
        lambda aws: forget_mapping(aws, "importer"),
        "queue: findings to importer",
        "events wait until they expire",
        "pulumi up",
    ),
    "findings that were not imported": (
        lambda aws: aws.queue("unimported_findings_dead_letters_url").update(ApproximateNumberOfMessages="3"),
        "dead letters: unimported findings",
        "has 3 messages",
        "rotation-guard dead-letters list",
    ),
    "dead letters of findings that admit nobody": (
        lambda aws: aws.queue("unimported_findings_dead_letters_url").pop("Policy"),
        "dead letters: unimported findings",
        "does not admit events.amazonaws.com for findings",
        "sqs:SendMessage",
    ),
    "an importer that never runs": (
        lambda aws: aws.concurrency[aws.outputs["function_names"]["importer"]].update(ReservedConcurrentExecutions=0),
        "function: importer",
        "reserved concurrency",
        "aws lambda delete-function-concurrency",
    ),
    "an importer that may not import": (
        lambda aws: withdraw(aws, "importer", "securityhub:BatchImportFindings"),
        "permissions: importer",
        f"is not granted securityhub:BatchImportFindings on arn:aws:securityhub:{HERE}:product/{ACCOUNT}/default",
        "pulumi up",
    ),
    # --- integrations
    "a rule of an integration that was deleted": (
        lambda aws: forget_rule(aws, SLACK),
        f"integration: {SLACK}",
        "does not exist",
        "pulumi up",
    ),
    "a rule of an integration that was disabled": (
        lambda aws: aws.rule(PAGER).update(State="DISABLED"),
        f"integration: {PAGER}",
        "is DISABLED",
        "aws events enable-rule --name rotation-guard-critical-pagerduty-on-call-0a1b2c3",
    ),
    "a rule of an integration for another stack": (
        lambda aws: change_pattern(aws, SLACK, detail={"incidents_table": ["another"], "owner": ["payments"]}),
        f"integration: {SLACK}",
        "does not match the recorded events incident-resolved",
        "pulumi up",
    ),
    "a pager that is not told of the end": (
        lambda aws: change_pattern(aws, PAGER, detail={"owner": ["payments"]}),
        f"integration: {PAGER}",
        "does not match the recorded events incident-resolved",
        "pulumi up",
    ),
    "an integration without its target": (
        lambda aws: aws.targets[aws.rule(SLACK)["Name"]].clear(),
        f"integration: {SLACK}",
        "has no target that is an API destination",
        "pulumi up",
    ),
    "an integration without dead letters": (
        lambda aws: aws.target(SLACK).pop("DeadLetterConfig"),
        f"integration: {SLACK}",
        "has no dead-letter queue",
        "pulumi up",
    ),
    "an API destination that was deleted": (
        lambda aws: aws.destinations.pop("rotation-guard-remediation-slack-team-0a1b2c3"),
        f"integration: {SLACK}",
        "The API destination rotation-guard-remediation-slack-team-0a1b2c3 does not exist",
        "pulumi up",
    ),
    "an API destination that is inactive": (
        lambda aws: aws.destinations["rotation-guard-remediation-slack-team-0a1b2c3"].update(
            ApiDestinationState="INACTIVE"
        ),
        f"integration: {SLACK}",
        "The API destination rotation-guard-remediation-slack-team-0a1b2c3 is INACTIVE",
        "Repair its connection",
    ),
    "a connection that lost its authorization": (
        lambda aws: aws.connections["rotation-guard-remediation-slack-team-0a1b2c3"].update(
            ConnectionState="DEAUTHORIZED", StateReason="The secret was deleted."
        ),
        f"integration: {SLACK}",
        "is DEAUTHORIZED: The secret was deleted.",
        "which authorizes it again",
    ),
    "a connection that was deleted": (
        lambda aws: aws.connections.pop("rotation-guard-critical-pagerduty-on-call-0a1b2c3"),
        f"integration: {PAGER}",
        "The connection rotation-guard-critical-pagerduty-on-call-0a1b2c3 does not exist",
        "pulumi up",
    ),
    "a role of an integration that EventBridge may not assume": (
        lambda aws: aws.roles["rotation-guard-remediation-slack-team-0a1b2c3"]["AssumeRolePolicyDocument"].update(
            Statement=[]
        ),
        f"integration: {SLACK}",
        "does not trust events.amazonaws.com",
        "pulumi up",
    ),
    "a role of an integration without its permission": (
        lambda aws: aws.statements("rotation-guard-remediation-slack-team-0a1b2c3").clear(),
        f"integration: {SLACK}",
        "is not granted events:InvokeApiDestination on arn:aws:events:",
        "pulumi up",
    ),
    "an integration without a role": (
        lambda aws: aws.target(SLACK).pop("RoleArn"),
        f"integration: {SLACK}",
        "has no role",
        "pulumi up",
    ),
    "incidents that were not delivered": (
        lambda aws: aws.queue("undelivered_incidents_dead_letters_url").update(ApproximateNumberOfMessages="1"),
        "dead letters: undelivered incidents",
        "has 1 message.",
        "rotation-guard dead-letters list",
    ),
    "dead letters of integrations that admit nobody": (
        lambda aws: aws.queue("undelivered_incidents_dead_letters_url").pop("Policy"),
        "dead letters: undelivered incidents",
        f"does not admit events.amazonaws.com for {SLACK}, {PAGER}",
        "sqs:SendMessage",
    ),
}
