"""Calls the probe of a secret to find out which versions work, without reading a value itself."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.remediation.decisions import Proof
from rotation_guard.domain.remediation.diagnosis import Diagnosis
from rotation_guard.domain.remediation.step_results import ProbeStepResult, to_payload

from ..adapters import clients, probes
from ..environment import RemediationProbeSettings

ACTIONS = probes.ACTIONS

logger = Logger(json_serializer=serialize_log_record)


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Calls the `probe`, an ARN, for the versions in the `diagnosis`.

    The probe gets a version's id and label, so it fails for a version without a value or without the label by now.
    The proof is then unknown.
    """
    settings = RemediationProbeSettings.from_env()
    diagnosis = Diagnosis.from_payload(event["diagnosis"])
    probe = probes.Probe(event["probe"], settings.probe_timeout_seconds)
    notes: list[str] = []

    def test(version: str | None, label: str) -> Proof:
        if version is None:
            return Proof.ABSENT
        result = probe.test(diagnosis.secret_arn, version, label)
        notes.extend([result.note] if result.note else [])
        return result.proof

    # AWS's own retry may complete between the two calls and move AWSCURRENT. In this order both versions then seem to
    # work; in the other order neither would.
    current = test(diagnosis.current, "AWSCURRENT")
    pending = test(diagnosis.pending, "AWSPENDING")
    # Each call is a login, and some systems lock users out after failed logins: skip calls that cannot change anything.
    if current is Proof.BROKEN and pending is not Proof.WORKS and diagnosis.is_rollback_allowed:
        previous = test(diagnosis.previous, "AWSPREVIOUS")
    else:
        previous = Proof.UNKNOWN if diagnosis.previous else Proof.ABSENT

    proofs = {"current": current, "pending": pending, "previous": previous}
    logger.info("probed", extra={"secret_arn": diagnosis.secret_arn, **proofs})
    return to_payload(ProbeStepResult(**proofs, notes=notes))
