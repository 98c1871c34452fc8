"""rotation-guard with topics and a key that a platform team owns, whose policies it does not change."""

import pulumi
from rotation_guard.components.rotation_guard import RotationGuard

config = pulumi.Config()
guard = RotationGuard(
    "rotation-guard",
    {
        "existing": {
            "failures_topic_arn": config.require("failuresTopicArn"),
            "remediation_topic_arn": config.require("remediationTopicArn"),
            "critical_topic_arn": config.require("criticalTopicArn"),
        },
        "kms_key_arn": config.require("keyArn"),
    },
)
pulumi.export("alarms_topic_arn", guard.alarms_topic_arn)
pulumi.export("dashboard_url", guard.dashboard_url)
