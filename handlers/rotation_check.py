"""Checks which secrets are overdue for rotation, and writes down what it found."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from .adapters import audit_tables, secrets
from .domain.audit import NEEDS_ROTATION, UNKNOWN, judge, run_id
from .domain.history import expires_at
from .settings import RotationCheckSettings

ACTIONS = secrets.LISTING_ACTIONS | audit_tables.ACTIONS

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """One run: answers its `run_id`, and how many secrets were `checked` and `flagged`."""
    settings = RotationCheckSettings.from_env()
    vault = secrets.Secrets()
    tables = audit_tables.AuditTables(settings.table_name, settings.status_table_name, settings.runs_table_name)
    run = run_id(event.get("scheduled_time"), context.aws_request_id)
    started_at = datetime.now(UTC)
    expiry = expires_at(started_at, settings.history_days)
    counts = {"checked": 0, "flagged": 0, "unknown": 0}

    for page in vault.tagged(settings.managed_tag_key):
        managed = {
            secret.name: secret
            for secret in page
            if secret.carries(settings.managed_tag_key, settings.managed_tag_value)
        }
        before = tables.statuses(managed)
        findings = []
        for name, secret in managed.items():
            known = audit_tables.cached_value_date(before.get(name, {}), secret.current_version_id)
            value = known or vault.value_date(secret)
            # Judged now: a value made since the run began is new, and not from the future.
            findings.append(judge(secret, value, settings.max_age_days, datetime.now(UTC)))
        tables.write(run, started_at, findings, before, expiry)
        counts["checked"] += len(findings)
        counts["flagged"] += sum(finding.status == NEEDS_ROTATION for finding in findings)
        counts["unknown"] += sum(finding.status == UNKNOWN for finding in findings)

    tables.finish(run, started_at, datetime.now(UTC), counts, expiry)
    logger.info("audit finished", extra={"run_id": run, **counts})
    for name, count in counts.items():
        metrics.add_metric(f"Secrets{name.capitalize()}", MetricUnit.Count, count)
    # Here and not in a decorator, which would complain of a run that failed before it had any.
    metrics.flush_metrics()
    return {"run_id": run, "checked": counts["checked"], "flagged": counts["flagged"]}
