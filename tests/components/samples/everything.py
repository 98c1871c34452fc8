"""Every setting of the whole product, each with another value than its default."""

KEY = "arn:aws:kms:eu-west-1:111122223333:key/7d0e"
LAYER = "arn:aws:lambda:eu-west-1:111122223333:layer:powertools:7"
PROBE, ROTATION = (f"arn:aws:lambda:eu-west-1:111122223333:function:{name}" for name in ("probe", "rotation"))
SERVICE = "arn:aws:ecs:eu-west-1:111122223333:service/shop/orders"
INSTANCES = {"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"]}
EVERYTHING = {
    "schedule_expression": "cron(0 6 ? * * *)",
    "schedule_timezone": "Europe/Berlin",
    "schedule_flexible_minutes": 5,
    "max_age_days": 90,
    "max_age_classes": [
        {"days": 7, "name": "prod/*", "tag": {"key": "tier", "value": "gold"}},
        {"days": 365, "tag": {"key": "slow"}},
    ],
    "warn_days": 14,
    "stuck_hours": 2,
    "max_overdue": 0,
    "history": "changes",
    "managed_tag": {"key": "audit", "value": "yes"},
    "subscriptions": [
        {"topic": "critical", "protocol": "email", "endpoint": "on-call@example.com"},
        {"topic": "failures", "protocol": "sqs", "endpoint": "arn:aws:sqs:eu-west-1:111122223333:inbox"},
    ],
    "queue_retention_days": 2,
    "dead_letter_retention_days": 3,
    "history_days": 10,
    "deletion_protection": False,
    "log_retention_days": 5,
    "remediation_mode": "repair",
    "settle_minutes": 1,
    "max_retries": 4,
    "breaker_threshold": 5,
    "max_actions_per_hour": 7,
    "reserved_concurrency": 2,
    "change_window": {"start": "22:00", "end": "04:00", "days": ["sat", "sun"]},
    "probe_functions": [PROBE],
    "rotation_functions": [ROTATION],
    "restart_targets": [SERVICE],
    "restart_role_arns": ["arn:aws:iam::111122223333:role/automation"],
    "restart_timeout_minutes": 9,
    "runbook_url": "https://example.com/runbook",
    "extra_rules": [{"name": "instances", "event_pattern": INSTANCES, "to": "both"}],
    "powertools_layer_arn": LAYER,
    "kms_key_arn": KEY,
    "tags": {"team": "platform"},
    "demo": True,
    "drill": True,
}
