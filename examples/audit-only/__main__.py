"""Only the audit: its two components, without events, remediation, topics or alarms."""

import pulumi
from rotation_guard.components.audit.audit_status import AuditStatus
from rotation_guard.components.audit.rotation_audit import RotationAudit

status = AuditStatus("secrets-status")
audit = RotationAudit(
    "secrets-audit",
    {
        "status_table_name": status.table_name,
        "status_table_arn": status.table_arn,
        "max_age_days": 90,
        # A row when something changes and one a day, instead of one an hour.
        "history": "changes",
    },
)
pulumi.export("table_name", audit.table_name)
pulumi.export("status_table_name", status.table_name)
pulumi.export("runs_table_name", audit.runs_table_name)
pulumi.export("function_name", audit.function_name)
