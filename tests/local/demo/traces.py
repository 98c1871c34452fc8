"""Traces of drills that met every expectation, and their parts."""

from dataclasses import replace

from local.demo import expectations
from local.demo.trace import AWS, REMEDIATION, ROTATION_GUARD, Execution, Message, Trace

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:demo-Ab12Cd"
EXECUTION = "arn:aws:states:eu-west-1:111122223333:execution:remediation:RotationFailed-1"
OLD, NEW = "11111111-aaaa", "22222222-bbbb"
PASSWORD = "hunter2-0815"
EVIDENCE = {"current": "works", "pending": "unknown", "previous": "absent", "notes": []}


def notification(transition: str, topic: str = REMEDIATION) -> Message:
    return Message(3.0, topic, f"Rotation {transition}: demo", {"turn": transition}, f'{{"turn": "{transition}"}}')


def incident_event(name: str) -> Message:
    return Message(3.0, ROTATION_GUARD, f"Rotation Incident {name}", {}, "{}")


def call(name: str, role: str = "rotates-1234567", **request: str) -> Message:
    identity = {"arn": f"arn:aws:sts::111122223333:assumed-role/{role}/session"}
    return Message(3.0, AWS, name, {"userIdentity": identity, "requestParameters": request})


def move(label: str = "AWSCURRENT", away_from: str = OLD, **more: str) -> Message:
    moved = {"versionStage": label, "removeFromVersionId": away_from, "moveToVersionId": NEW}
    return call("UpdateSecretVersionStage", **moved, **more)


def row(*actions: tuple[str, str], outcome: str = expectations.BY_RETRY) -> dict:
    decided = {"reason": "because", "rule": "retry", "evidence": EVIDENCE}
    written = [
        {"action": action, "at": "2026-11-25T08:40:26Z", "outcome": ended, **(decided if action == "decide" else {})}
        for action, ended in actions
    ]
    ends = {"execution": EXECUTION, "ended_by": EXECUTION}
    return {"state": "closed", "outcome": outcome, "reason": "why so", "actions": written, **ends}


RETRIED = (("notify", "told"), ("decide", "retry"), ("retry", "asked"), ("retry", "reattempted"))
MOVED = (("decide", "rolled forward"), ("rolled forward", "asked"), ("rolled forward", "done"))
RECOVERED = Trace(
    step="setSecret",
    secret_arn=ARN,
    began_at=1.0,
    original_version=OLD,
    versions={NEW: ["AWSCURRENT", "AWSPENDING"], OLD: ["AWSPREVIOUS"]},
    is_working=True,
    messages=(
        notification("opened"),
        move(),
        notification("recovered"),
        incident_event("Opened"),
        incident_event("Retried"),
        incident_event("Recovered"),
    ),
    executions=(Execution(EXECUTION, "SUCCEEDED", raw="[]"),),
    rows=(row(*RETRIED),),
    values=frozenset({f'{{"password": "{PASSWORD}"}}', PASSWORD}),
    logs={"remediation": '{"message":"claimed"} {"message":"decided"} {"message":"published"}'},
    texts={"the audit trail": "nothing of note"},
)
ROLLED_FORWARD = replace(
    RECOVERED,
    step="testSecret",
    messages=(
        notification("opened"),
        move(),
        notification("recovered"),
        incident_event("Opened"),
        incident_event("Recovered"),
    ),
    rows=(row(*MOVED, outcome=expectations.ROLLED_FORWARD),),
)
