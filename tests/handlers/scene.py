"""Secrets with failed rotations, their incidents, and Secrets Manager where moto differs from AWS."""

import uuid
from collections import Counter
from itertools import count
from typing import Any

from handlers.remediation import claim as remediation_claim
from handlers.remediation import decide as remediation_decide
from rotation_guard.domain.remediation.diagnosis import Diagnosis

EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:remediation:RotationFailed-1"
FAILED_AT, SUCCEEDED_AT = "2026-03-01T00:50:20Z", "2026-03-01T01:17:16Z"
OPENED_AT = "2026-03-01T00:51:00.000Z"
UNFINISHED = "A previous rotation isn't complete. That rotation will be reattempted."
"""AWS's message when a rotation is requested while another is in progress or stuck."""
LABEL_MISMATCH = (
    "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version {}, "
    "so you must explicitly reference that version in RemoveFromVersionId."
)
"""AWS's message when AWSCURRENT is not on the version that the request names."""


def build_signal(secret_arn, kind="RotationFailed", at=FAILED_AT, event="event-1", rotation="rotation-1", **changes):
    """The signal about this secret in an execution's input."""
    details = {"failed_step": "setSecret" if kind == "RotationFailed" else None, "current_version_id": None, **changes}
    signal = {"kind": kind, "source": "aws.secretsmanager", "identity": event, "occurred_at": at}
    return {**signal, "secret_arn": secret_arn, "rotation_id": rotation, **details}


def build_success_signal(secret_arn, at=SUCCEEDED_AT, event="success-1", rotation="rotation-1"):
    """The signal of a successful rotation of this secret."""
    return build_signal(secret_arn, "RotationSucceeded", at, event, rotation)


def build_move_signal(secret_arn, version, at=SUCCEEDED_AT, event="move-1"):
    """The signal that AWSCURRENT moved to this version of the secret."""
    return build_signal(secret_arn, "Secret Label Updated", at, event, None, current_version_id=version)


def build_stalled_signal(incident, at="2026-03-01T04:00:00Z", event="stalled-1"):
    """The signal that an incident has stalled."""
    signal = build_signal(
        incident["secret_arn"], "Rotation Incident Stalled", at, event, None, opened_at=incident["opened_at"]
    )
    return {**signal, "source": "rotation-guard"}


class Scene:
    """The secrets and incidents of one account."""

    def __init__(self, aws, context):
        self.aws, self._context = aws, context
        self.describe_overrides = {}
        """Secret ARN -> fields of DescribeSecret's response that moto does not have."""
        self.rotations = Counter()
        """Rotations that really started, by secret; other requests joined a rotation in progress."""
        self.moves = []
        """Actual moves of AWSCURRENT: (from, to)."""
        self._names = count(1)
        aws.create_tables("incidents")
        aws.answer("DescribeSecret", self._describe)
        aws.answer("RotateSecret", self._rotate)
        aws.answer("UpdateSecretVersionStage", self._move)

    def secret(self, pending=False, **tags):
        """Creates a secret with these tags of rotation-guard; returns its ARN. `pending`: its rotation is stuck."""
        created = self._secretsmanager.create_secret(
            Name=f"orders/db-{next(self._names)}",
            SecretString="first",
            Tags=[{"Key": f"rotation-guard:{name.replace('_', '-')}", "Value": value} for name, value in tags.items()],
        )
        self.describe_overrides[created["ARN"]] = {"RotationEnabled": True}
        if pending:
            self.begin(created["ARN"])
        return created["ARN"]

    def begin(self, arn, **stages):
        """Creates a version with the label AWSPENDING, or with `labels`; returns its id."""
        labels = stages.get("labels", ["AWSPENDING"])
        put = self._secretsmanager.put_secret_value(
            SecretId=arn, SecretString="next", VersionStages=labels, ClientRequestToken=str(uuid.uuid4())
        )
        return put["VersionId"]

    def version(self, arn, label="AWSCURRENT"):
        """The version with this label."""
        labels = self._secretsmanager.describe_secret(SecretId=arn)["VersionIdsToStages"]
        return next((version for version, stages in labels.items() if label in stages), None)

    def move_awscurrent(self, arn, to):
        """Moves AWSCURRENT without the product."""
        self._secretsmanager.update_secret_version_stage(
            SecretId=arn,
            VersionStage="AWSCURRENT",
            MoveToVersionId=to,
            RemoveFromVersionId=self.version(arn),
        )

    def finish(self, arn):
        """Completes the rotation in progress, as AWS does."""
        pending = self.version(arn, "AWSPENDING")
        self.move_awscurrent(arn, pending)
        self._secretsmanager.update_secret_version_stage(
            SecretId=arn, VersionStage="AWSPENDING", RemoveFromVersionId=pending
        )

    def claim(self, signal, execution=EXECUTION, started_at=OPENED_AT, **more):
        """Claims a signal for an execution, which starts no earlier than its event."""
        started_at = max(started_at, signal["occurred_at"].replace("Z", ".500Z"))
        event = {"heard": signal, "execution": execution, "started_at": started_at, **more}
        return remediation_claim.handler(event, self._context)

    def open(self, arn, signal=None, started_at=OPENED_AT, execution=EXECUTION, **changes):
        """Opens an incident for this secret, with these changes to its row; returns its key."""
        incident = self.claim(signal or build_signal(arn), execution, started_at)["incident"]
        self.change(incident, **changes)
        return incident

    def change(self, incident, **changes):
        """Changes an incident's row directly; None removes an attribute."""
        row = {**self.row(incident), **changes}
        self.aws.put("incidents", {name: value for name, value in row.items() if value is not None})

    def decide(self, incident, proofs=None, recovered=False, backoff_seconds=0, **diagnosis_fields):
        """Decides the next step by this diagnosis: by default, of a stuck secret that opts in to repair."""
        fields: dict[str, Any] = {
            "name": "orders/db",
            "current": "v2",
            "pending": "v3",
            "previous": "v1",
            "mode": "repair",
        }
        fields |= {"failed_step": "setSecret", "rotation_on": True, **diagnosis_fields}
        diagnosis = Diagnosis.from_payload({"secret_arn": incident["secret_arn"], **fields}).to_payload()
        event = {"incident": incident, "diagnosis": diagnosis, "recovered": recovered, "proofs": proofs or {}}
        event["backoff_seconds"] = backoff_seconds
        return remediation_decide.handler({"execution": EXECUTION, **event}, self._context)

    def close(self, incident, state="closed"):
        """Ends an incident directly, and releases its claim."""
        self.change(incident, state=state)
        key = {"secret_arn": {"S": f"open#{incident['secret_arn']}"}, "opened_at": {"S": "claim"}}
        self.aws.client("dynamodb").delete_item(TableName="incidents", Key=key)

    def row(self, incident):
        """An incident's row."""
        key = (incident["secret_arn"], incident["opened_at"])
        return next(row for row in self.aws.rows("incidents") if (row["secret_arn"], row["opened_at"]) == key)

    def incidents(self, arn):
        """All incidents of this secret, by when they were opened."""
        rows = [row for row in self.aws.rows("incidents") if row["secret_arn"] == arn]
        return sorted(rows, key=lambda row: row["opened_at"])

    def unfinished(self, arn):
        """Opening times of the incidents of this secret that are listed as unfinished."""
        rows = [row for row in self.aws.rows("incidents") if row["secret_arn"] == "unfinished"]
        assert all(row["opened_at"].startswith(f"{row['incident_arn']}#{row['incident_opened_at']}") for row in rows)
        return sorted({row["incident_opened_at"] for row in rows if row["incident_arn"] == arn})

    def claim_row(self, arn):
        """The row with the claim on this secret."""
        return next((row for row in self.aws.rows("incidents") if row["secret_arn"] == f"open#{arn}"), None)

    def actions(self, incident):
        """The actions of an incident, without their times."""
        actions = self.row(incident)["actions"]
        assert all(action["at"].endswith("Z") for action in actions)
        return [{name: value for name, value in action.items() if name != "at"} for action in actions]

    @property
    def _secretsmanager(self):
        return self.aws.client("secretsmanager")

    def _describe(self, request):
        description = self._secretsmanager.describe_secret(SecretId=request["SecretId"])
        del description["ResponseMetadata"]
        # Moto lists versions without a label too; AWS does not.
        description["VersionIdsToStages"] = {
            version: labels for version, labels in description["VersionIdsToStages"].items() if labels
        }
        return {**description, **self.describe_overrides.get(description["ARN"], {})}

    def _rotate(self, request):
        arn = request["SecretId"]
        assert set(request) <= {"SecretId", "ClientRequestToken"}
        if self.version(arn, "AWSPENDING") not in (None, self.version(arn)):
            return self.aws.Refusal("InvalidRequestException", message=UNFINISHED)
        self.rotations[arn] += 1
        return {"ARN": arn, "VersionId": self.begin(arn)}

    def _move(self, request):
        arn, current = request["SecretId"], self.version(request["SecretId"])
        assert request["VersionStage"] == "AWSCURRENT"
        if request["RemoveFromVersionId"] != current:
            return self.aws.Refusal("InvalidParameterException", message=LABEL_MISMATCH.format(current))
        self.move_awscurrent(arn, request["MoveToVersionId"])
        self.moves.append((current, request["MoveToVersionId"]))
        return {"ARN": arn}


def run_before(aws, operation, action, number=1):
    """Runs an action right before the call with this number, which is then answered as usual."""
    calls, answer = count(1), aws.answers.get(operation, lambda _: None)

    def run_and_answer(request):
        if next(calls) == number:
            aws.answer(operation, answer)
            action()
        return answer(request)

    aws.answer(operation, run_and_answer)


def build_cancellation(aws, *codes):
    """A transaction that DynamoDB cancelled, with its reasons."""
    return aws.Refusal("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


def crash_at_each_write(aws, prepare):
    """Crashes a step before and after each of its writes, and runs it again: yields the result of each second run.

    `prepare` sets everything up and returns the step. Ends when the step has no further write to crash at.
    """
    for when in ("before", "after"):
        for number in count(1):
            run_step = prepare()
            aws.crash(number, when)
            try:
                run_step()
            except aws.Crash:
                aws.crash(0, "")
                yield f"{when} write {number}", run_step()
                continue
            aws.crash(0, "")
            break
