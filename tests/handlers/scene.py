"""A secret in trouble, its incident, and Secrets Manager where moto would not do as AWS does."""

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
"""AWS's words where a rotation is asked for that is under way, or stuck."""
TAKEN = (
    "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version {}, "
    "so you must explicitly reference that version in RemoveFromVersionId."
)
"""AWS's words where AWSCURRENT is not where it was said to be."""


def build_signal(secret_arn, kind="RotationFailed", at=FAILED_AT, event="event-1", rotation="rotation-1", **more):
    """What was heard of this secret, as it stands in an execution's input."""
    said = {"failed_step": "setSecret" if kind == "RotationFailed" else None, "current_version_id": None, **more}
    heard = {"kind": kind, "source": "aws.secretsmanager", "identity": event, "occurred_at": at}
    return {**heard, "secret_arn": secret_arn, "rotation_id": rotation, **said}


def succeeded(secret_arn, at=SUCCEEDED_AT, event="success-1", rotation="rotation-1"):
    """What was heard of a rotation of this secret that succeeded."""
    return build_signal(secret_arn, "RotationSucceeded", at, event, rotation)


def moved(secret_arn, version, at=SUCCEEDED_AT, event="move-1"):
    """What was heard of AWSCURRENT, which is on this version of the secret since."""
    return build_signal(secret_arn, "Secret Label Updated", at, event, None, current_version_id=version)


def stalled(incident, at="2026-03-01T04:00:00Z", event="stalled-1"):
    """What was heard of an incident that nobody goes on with."""
    heard = build_signal(
        incident["secret_arn"], "Rotation Incident Stalled", at, event, None, opened_at=incident["opened_at"]
    )
    return {**heard, "source": "rotation-guard"}


class Scene:
    """One account's secrets and incidents."""

    def __init__(self, aws, context):
        self.aws, self._context = aws, context
        self.stated = {}
        """Secret's ARN -> what DescribeSecret says of it beyond what moto knows."""
        self.rotations = Counter()
        """Rotations that really began, by secret; the others were taken for one that was under way."""
        self.moves = []
        """Moves of AWSCURRENT that really happened: from, to."""
        self._names = count(1)
        aws.create_tables("incidents")
        aws.answer("DescribeSecret", self._describe)
        aws.answer("RotateSecret", self._rotate)
        aws.answer("UpdateSecretVersionStage", self._move)

    def secret(self, pending=False, **tags):
        """Makes a secret with these tags of rotation-guard; answers its ARN. `pending`: its rotation is stuck."""
        made = self._secretsmanager.create_secret(
            Name=f"orders/db-{next(self._names)}",
            SecretString="first",
            Tags=[{"Key": f"rotation-guard:{name.replace('_', '-')}", "Value": value} for name, value in tags.items()],
        )
        self.stated[made["ARN"]] = {"RotationEnabled": True}
        if pending:
            self.begin(made["ARN"])
        return made["ARN"]

    def begin(self, arn, **stages):
        """Makes a version that holds AWSPENDING, or `labels`; answers its id."""
        labels = stages.get("labels", ["AWSPENDING"])
        put = self._secretsmanager.put_secret_value(
            SecretId=arn, SecretString="next", VersionStages=labels, ClientRequestToken=str(uuid.uuid4())
        )
        return put["VersionId"]

    def version(self, arn, label="AWSCURRENT"):
        """The version that holds this label."""
        labels = self._secretsmanager.describe_secret(SecretId=arn)["VersionIdsToStages"]
        return next((version for version, stages in labels.items() if label in stages), None)

    def shift(self, arn, to):
        """Somebody moves AWSCURRENT."""
        self._secretsmanager.update_secret_version_stage(
            SecretId=arn,
            VersionStage="AWSCURRENT",
            MoveToVersionId=to,
            RemoveFromVersionId=self.version(arn),
        )

    def finish(self, arn):
        """AWS ends the rotation that is under way, with success."""
        pending = self.version(arn, "AWSPENDING")
        self.shift(arn, pending)
        self._secretsmanager.update_secret_version_stage(
            SecretId=arn, VersionStage="AWSPENDING", RemoveFromVersionId=pending
        )

    def claim(self, heard, execution=EXECUTION, started_at=OPENED_AT, **more):
        """Has an execution claim what was heard; it starts after its event, whatever was asked for."""
        started_at = max(started_at, heard["occurred_at"].replace("Z", ".500Z"))
        event = {"heard": heard, "execution": execution, "started_at": started_at, **more}
        return remediation_claim.handler(event, self._context)

    def open(self, arn, heard=None, started_at=OPENED_AT, execution=EXECUTION, **changes):
        """Opens an incident for this secret, with these changes of its row; answers its key."""
        incident = self.claim(heard or build_signal(arn), execution, started_at)["incident"]
        self.change(incident, **changes)
        return incident

    def change(self, incident, **changes):
        """Changes an incident's row from outside; None takes an attribute away."""
        row = {**self.row(incident), **changes}
        self.aws.put("incidents", {name: value for name, value in row.items() if value is not None})

    def decide(self, incident, proofs=None, recovered=False, backoff_seconds=0, **found):
        """Has the next step decided, by what was found: a stuck secret that opts in to repair unless said otherwise."""
        known: dict[str, Any] = {
            "name": "orders/db",
            "current": "v2",
            "pending": "v3",
            "previous": "v1",
            "mode": "repair",
        }
        known |= {"failed_step": "setSecret", "rotation_on": True, **found}
        diagnosis = Diagnosis.from_payload({"secret_arn": incident["secret_arn"], **known}).to_payload()
        event = {"incident": incident, "diagnosis": diagnosis, "recovered": recovered, "proofs": proofs or {}}
        event["backoff_seconds"] = backoff_seconds
        return remediation_decide.handler({"execution": EXECUTION, **event}, self._context)

    def close(self, incident, state="closed"):
        """Ends an incident from outside, and releases its claim."""
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

    def claimed(self, arn):
        """The row that holds the claim on this secret."""
        return next((row for row in self.aws.rows("incidents") if row["secret_arn"] == f"open#{arn}"), None)

    def actions(self, incident):
        """What was done about an incident, without when: each with a time."""
        actions = self.row(incident)["actions"]
        assert all(action["at"].endswith("Z") for action in actions)
        return [{name: value for name, value in action.items() if name != "at"} for action in actions]

    @property
    def _secretsmanager(self):
        return self.aws.client("secretsmanager")

    def _describe(self, asked):
        known = self._secretsmanager.describe_secret(SecretId=asked["SecretId"])
        del known["ResponseMetadata"]
        # Moto keeps versions that hold no label in this list; AWS does not.
        known["VersionIdsToStages"] = {
            VersionIdsToStage: held for VersionIdsToStage, held in known["VersionIdsToStages"].items() if held
        }
        return {**known, **self.stated.get(known["ARN"], {})}

    def _rotate(self, asked):
        arn = asked["SecretId"]
        assert set(asked) <= {"SecretId", "ClientRequestToken"}
        if self.version(arn, "AWSPENDING") not in (None, self.version(arn)):
            return self.aws.Refusal("InvalidRequestException", message=UNFINISHED)
        self.rotations[arn] += 1
        return {"ARN": arn, "VersionId": self.begin(arn)}

    def _move(self, asked):
        arn, current = asked["SecretId"], self.version(asked["SecretId"])
        assert asked["VersionStage"] == "AWSCURRENT"
        if asked["RemoveFromVersionId"] != current:
            return self.aws.Refusal("InvalidParameterException", message=TAKEN.format(current))
        self.shift(arn, asked["MoveToVersionId"])
        self.moves.append((current, asked["MoveToVersionId"]))
        return {"ARN": arn}


def once(aws, operation, first, number=1):
    """Something happens just before the call of this number, which is answered as it would have been."""
    calls, answer = count(1), aws.answers.get(operation, lambda _: None)

    def happen(asked):
        if next(calls) == number:
            aws.answer(operation, answer)
            first()
        return answer(asked)

    aws.answer(operation, happen)


def cancelled(aws, *codes):
    """A transaction that DynamoDB did not carry out, and why not."""
    return aws.Refusal("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


def crashes(aws, prepare):
    """Crashes a step before and after each of its writes, and runs it again: what each second run answers.

    `prepare` makes everything anew and answers the step; it ends when a step has no further write to crash at.
    """
    for when in ("before", "after"):
        for number in count(1):
            step = prepare()
            aws.crash(number, when)
            try:
                step()
            except aws.Crash:
                aws.crash(0, "")
                yield f"{when} write {number}", step()
                continue
            aws.crash(0, "")
            break
