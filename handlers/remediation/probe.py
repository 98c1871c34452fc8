"""Asks the probe of a secret which of its versions work, and looks at no value itself."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.remediation.decisions import Proof
from rotation_guard.domain.remediation.diagnosis import Diagnosis

from ..adapters import clients, probes
from ..environment import RemediationProbeSettings

ACTIONS = probes.ACTIONS

logger = Logger(json_serializer=serialize_log_record)


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes the `diagnosis` of a secret and the ARN of its `probe`.

    Answers for `current`, `pending` and `previous` whether the version that holds this label `works`, is `broken`,
    `unknown` or `absent`; and as `notes`, sentences, why what was asked is unknown. A version that has no value, or has
    lost its label since, is unknown: the probe is told both its id and its label, and fails.
    """
    settings = RemediationProbeSettings.from_env()
    diagnosis = Diagnosis.of(event["diagnosis"])
    probe = probes.Probe(event["probe"], settings.probe_timeout_seconds)
    notes: list[str] = []

    def asked(version: str | None, label: str) -> Proof:
        if version is None:
            return Proof.ABSENT
        told = probe.ask(diagnosis.secret_arn, version, label)
        notes.extend([told.note] if told.note else [])
        return told.proof

    # A try of AWS's own may pass between the two questions, and turn the old password into the new one: asked in this
    # order that shows as both working, in the other as neither.
    current = asked(diagnosis.current, "AWSCURRENT")
    pending = asked(diagnosis.pending, "AWSPENDING")
    # Each question is a login, and some systems lock out who fails often: nothing is asked that would change nothing.
    if current is Proof.BROKEN and pending is not Proof.WORKS and diagnosis.fallback:
        previous = asked(diagnosis.previous, "AWSPREVIOUS")
    else:
        previous = Proof.UNKNOWN if diagnosis.previous else Proof.ABSENT

    proofs = {"current": current, "pending": pending, "previous": previous}
    logger.info("probed", extra={"secret_arn": diagnosis.secret_arn, **proofs})
    return {**proofs, "notes": notes}
