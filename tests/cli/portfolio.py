"""A stack in moto's AWS with names and texts that are hard to print, and the commands that report on it.

Nothing in its reports differs from run to run: the clock stands still, and files are named as from their directory.
"""

import io
import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Self

import pytest

from rotation_guard.cli.__main__ import main
from rotation_guard.domain.timestamps import to_iso
from tests.domain.evidence.chain import build

from .chained_trail import LASTING, Trail
from .listings import entry as list_entry
from .listings import tags as list_tags
from .stacks import ARN, CALLER, EXECUTION, AuditStack, RemediationStack, wait_for_identity

NOW = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)
LEGAL = "every/legal_char-+=.@AZaz09"
"""https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html has the characters of a name."""
FORMULA = "=1+1"
SCRIPT = "<script>alert(1)</script>"
ANSI = "\x1b[31mred\x1b[0m\u202e"
LONG = "prod/" + "payments-service/" * 8 + "database-administrator"
UMLAUTS = "zahlungen/schlüssel"
OWNER, OWNER_OF_MANY = "Zoë Müller 支払い", "platform"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:rotate-orders"
DRILL_EVENT = "5f6c1b0e-3d0c-4a57-9d0c-3f9d0f1f2a3b"
SETTINGS = {"max_age_days": 30, "warn_days": 7, "stuck_hours": 24, "managed_tag": "Managed=true", "max_age_classes": []}
STACK = ("--stack-outputs", "outputs.json")
REASON = ("--reason", "Database moves tonight: Zoë knows why.")

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "report": ("report", *STACK),
    "report-older-than": ("report", "--older-than", "30d", *STACK),
    "report-as-of-since": ("report", "--as-of", "2026-02-27", "--since", "2026-02-20", *STACK),
    "report-several": ("report", "--attention", *STACK, "--stack-outputs", "unreadable.json"),
    "exemptions": ("exemptions", *STACK),
    "scan": ("scan", "--from", "secrets.json", "--now", to_iso(NOW), "--max-age-class", "name:prod/*=7"),
    "incidents-list": ("incidents", "list", *STACK),
    "incidents-list-attention": ("incidents", "list", "--attention", *STACK),
    "incidents-show": ("incidents", "show", LEGAL, *STACK),
    "incidents-orphaned": ("incidents", "orphaned", *STACK),
    "verify": ("verify", *STACK),
    "drill": ("drill", *STACK),
    "drill-rotation-failed": ("drill", "--event", "rotation-failed", "--secret", LEGAL, *REASON, *STACK),
    "audit-run": ("audit", "run", *STACK),
    "remediation-status": ("remediation", "status", *STACK),
}
"""Commands that have formats, by the name of their files."""
SENTENCES: Mapping[str, tuple[str, ...]] = {
    "remediation-stop": ("remediation", "stop", *REASON, *STACK),
    "remediation-go": ("remediation", "go", *REASON, *STACK),
    "incidents-ack": ("incidents", "ack", UMLAUTS, *REASON, "--until", "4h", *STACK),
    "incidents-release": ("incidents", "release", UMLAUTS, *REASON, *STACK),
}
"""Commands that print sentences, which a terminal wraps."""


class Output(NamedTuple):
    """What a command printed."""

    exit_code: int
    stdout: str
    stderr: str


class TerminalStream(io.TextIOWrapper):
    """Standard output in a terminal."""

    def isatty(self) -> bool:
        return True


class FixedClock(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: Any = None) -> Self:
        return cls.fromtimestamp(NOW.timestamp(), tz)


class Portfolio:
    """The stack; `answers` replaces the responses of moto, by operation."""

    def __init__(self, audit: AuditStack, stack: RemediationStack, trail: Trail, directory: Path) -> None:
        self.audit, self.stack, self.trail, self.directory = audit, stack, trail, directory
        self.answers = audit.answers
        audit.now = stack.now = NOW
        stack.add_outputs({"function_name": "check"})
        self.answers["ListAccountAliases"] = lambda _: {"AccountAliases": ["acme-prod"]}
        self.answers["PutEvents"] = self._record
        self.answers["Invoke"] = lambda request: self._audit(json.loads(request["Payload"])["scheduled_time"])
        self.answers["DescribeSecret"] = lambda request: self._describe(request["SecretId"])
        self.answers["GetParameter"] = lambda _: {"Parameter": self._switch}
        self.answers["GetParameterHistory"] = lambda _: {"Parameters": [self._switch]}
        self.answers["PutParameter"] = lambda _: {"Version": 3}
        changed = NOW - timedelta(hours=3)
        self._switch: dict[str, Any] = {
            "Value": "stop",
            "Version": 2,
            "LastModifiedDate": changed,
            "Description": f"stop by {CALLER} at {to_iso(changed)}: {REASON[1]}",
        }

    def run(self, *words: str, encoding: str = "utf-8", is_terminal: bool = False, **environment: str) -> Output:
        """Run a command as the console script does, with standard output in this encoding."""
        kind = TerminalStream if is_terminal else io.TextIOWrapper
        out, err = (kind(io.BytesIO(), encoding=encoding, newline="") for _ in range(2))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["rotation-guard", *words])
            patch.setattr(sys, "stdin", io.StringIO())
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.chdir(self.directory)
            for name, value in {"COLUMNS": "80", "NO_COLOR": "1", **environment}.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main()
        wait_for_identity()
        for stream in (out, err):
            stream.seek(0)
        return Output(int(ended.value.code or 0), out.read(), err.read())

    def fill(self) -> None:
        """Secrets, incidents and chains of every kind, some of them broken."""
        self._fill_audit()
        self._fill_list()
        self._fill_incidents()
        self._fill_trail()

    def _fill_audit(self) -> None:
        audit = self.audit
        first = audit.run(hours=211, settings=SETTINGS)
        second = audit.run(hours=43, settings=SETTINGS)
        audit.run(settings=SETTINGS, checked=13)
        more = {"owner": OWNER_OF_MANY}
        audit.needs_attention(LEGAL, 45, **more)
        audit.needs_attention(
            FORMULA, 44, owner=FORMULA, reason=f"{FORMULA} is a formula, and its value is 44 days old."
        )
        audit.needs_attention(
            SCRIPT, 43, owner=SCRIPT, reason=f"{SCRIPT} | **bold** `code` [link](https://example.com)"
        )
        audit.needs_attention(f"ansi/{ANSI}", 42, owner=ANSI, reason=f"{ANSI} is escaped.\nOn one line.")
        audit.needs_attention(LONG, 41, owner=OWNER)
        audit.needs_attention(
            UMLAUTS, 40, verdict="rotation_failing", reason="Its rotation has failed since 2026-02-26.", owner=OWNER
        )
        audit.needs_attention(
            "quarantined", 1, status="quarantined", verdict="quarantined", owner=None, limit_days=None, reason="Later."
        )
        audit.needs_attention("unknown/age", status="unknown", verdict="unknown", value_created_at=None, owner=None)
        exempt = {"verdict": "exempt", "exempt_until": "2026-05-01", "exempt_reason": "The vendor | rotates it."}
        audit.status("accepted/exempt", 400, **exempt, **more)
        audit.status("accepted/replica", 20, verdict="replica", **more)
        audit.status("accepted/elsewhere", 200, verdict="managed_elsewhere", **more)
        audit.needs_attention(
            "exempt/invalid", 50, verdict="exemption_invalid", exempt_until="someday", exempt_reason=SCRIPT, owner=OWNER
        )
        audit.status("young", 3)
        for name in (LEGAL, FORMULA, UMLAUTS, "vanishes"):
            audit.history(name, first, 211, 46)
        for name in (LEGAL, FORMULA, LONG):
            audit.history(name, second, 43, 46 if name == LEGAL else 2)
        audit.history(UMLAUTS, second, 43, 46, status="needs_rotation", verdict="rotation_failing", attention=True)
        nowhere = self.audit.outputs.read_text().replace('"status"', '"nowhere"').replace('"runs"', '"neither"')
        (self.directory / "unreadable.json").write_text(nowhere.replace("123456789012", "210987654321"))

    def _fill_list(self) -> None:
        tagged = list_tags(owner=OWNER, exempt_until="2026-05-01", exempt_reason=SCRIPT)
        entries = [
            list_entry(LEGAL, 45, Tags=list_tags(owner=OWNER_OF_MANY)),
            list_entry(FORMULA, 44, Tags=list_tags(owner=FORMULA)),
            list_entry(SCRIPT, 43, Tags=list_tags(owner=SCRIPT)),
            list_entry(f"ansi/{ANSI}", 42, Tags=list_tags(owner=ANSI)),
            list_entry(LONG, 8, Tags=list_tags(owner=OWNER)),
            list_entry(UMLAUTS, 3),
            list_entry("accepted/exempt", 400, Tags=tagged),
            list_entry("unknown/age", 50, SecretVersionsToStages={}),
        ]
        (self.directory / "secrets.json").write_text(json.dumps({"SecretList": entries, "NextToken": "more"}))

    def _fill_incidents(self) -> None:
        stack, ago = self.stack, self.stack.ago
        proofs = {"current": "broken", "pending": "works", "previous": "absent", "notes": [f"{OWNER} was logged in."]}
        stack.incident(UMLAUTS, 3, attempts=2, failures=3, mode="repair", owner=OWNER)
        stack.incident(LONG, 4, alive_until=int(NOW.timestamp()) - 60)
        stack.closed_incident(FORMULA, "escalated", 30, reason=f"{FORMULA}: {SCRIPT}", attempts=3)
        stack.closed_incident(
            "acknowledged",
            "escalated",
            20,
            acknowledged_at=ago(hours=1),
            acknowledged_by=f"arn:aws:sts::123456789012:assumed-role/on-call/{ANSI}",
            acknowledged_until="2026-03-01T22:00:00Z",
            acknowledged_reason="waiting for the vendor",
        )
        stack.closed_incident("mended", "resolved", 50, resolved_at=ago(hours=40), resolved_outcome="escalated")
        stack.closed_incident(f"ansi/{ANSI}", "recovered by AWS", 60, failed_step=None)
        stack.closed_incident(
            LEGAL,
            "rolled forward",
            2,
            closed_at=ago(hours=1.5),
            reason="AWSCURRENT is on the version that this incident moved it to.",
            failures=5,
            last_failure_at=ago(hours=1.9),
            attempts=1,
            mode="repair",
            versions={"v2": ["AWSCURRENT"], "v1": ["AWSPREVIOUS"]},
            evidence=proofs,
            moved={"how": "rolled forward", "from": "v1", "to": "v2", "outcome": "done"},
            restarts=[
                {"target": f"ecs:shop/{OWNER}", "arn": "arn:x", "state": "settled", "why": ""},
                {"target": "lambda:billing", "arn": "", "state": "refused", "why": f"{SCRIPT} is no restart target."},
            ],
            actions=[
                {"action": "notify", "at": ago(hours=2), "turn": "opened", "outcome": "told", "message_id": "m-1"},
                {"action": "retry", "at": ago(hours=1.8), "number": 1, "outcome": "asked"},
                {
                    "action": "decide",
                    "at": ago(hours=1.7),
                    "rule": "roll forward",
                    "reason": f"A probe proved it: {FORMULA} {ANSI}",
                    "outcome": "rolled forward",
                    "evidence": proofs,
                },
                {"action": "rolled forward", "at": ago(hours=1.7), "from": "v1", "to": "v2", "outcome": "done"},
                {"action": "restart", "at": ago(hours=1.6), "target": f"ecs:shop/{OWNER}", "outcome": "settled"},
                {"action": "notify", "at": ago(hours=1.5), "turn": "recovered", "outcome": "told", "message_id": "m-2"},
            ],
        )
        for name in (UMLAUTS, LONG):
            stack.set_state(name, orphaned_at=ago(hours=5), succeeded_at=ago(days=40))

    def _fill_trail(self) -> None:
        for name in (UMLAUTS, LONG, "intact"):
            self.trail.chains[name] = build(6, LASTING, f"{ARN}:{name}-AbCdEf")
        changed = self.trail.chains[UMLAUTS]
        changed.rows[changed.key(3)]["full_event"] = {"S": "{}"}
        self.trail.chains[LONG].remove(4)
        self.trail.write()

    def _describe(self, name: str) -> dict[str, Any]:
        labels = {"v2": ["AWSCURRENT", "AWSPENDING"], "v1": ["AWSPREVIOUS"]}
        arn = name if name.startswith("arn:") else f"{ARN}:{name}-AbCdEf"
        return {"ARN": arn, "Name": name, "RotationLambdaARN": FUNCTION, "VersionIdsToStages": labels}

    def _record(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Record an event as the stack does, and open its incident."""
        [entry] = request["Entries"]
        detail = json.loads(entry["Detail"])
        arn = detail.get("additionalEventData", {}).get("SecretId", entry["Source"])
        key = {"secret_arn": arn, "recorded": f"{detail['eventTime']}#{detail['eventID']}"}
        item = {name: {"S": value} for name, value in key.items()}
        self.trail.dynamodb.put_item(TableName="audit-trail", Item=item)
        if detail["eventName"] == "RotationFailed":
            self.stack.incident(LEGAL, 0, secret_arn=arn, event_ids={detail["eventID"]}, execution=EXECUTION)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "e-1"}]}

    def _audit(self, run_id: str) -> dict[str, Any]:
        """Audit as the check function does."""
        self.audit.run(
            run_id,
            hours=0.01,
            checked=214,
            flagged=17,
            unknown=4,
            outdated_replicas=1,
            accepted={"exempt": 9, "replica": 4, "managed_elsewhere": 3},
            verdicts={"fresh": 176, "overdue": 17, "unknown": 4, "exempt": 9, "replica": 5, "managed_elsewhere": 3},
            seconds=2,
            settings=SETTINGS,
            complete=False,
            incomplete_because=[f"ListSecrets was refused on page 3 of {OWNER}: AccessDeniedException: No."],
        )
        return {"StatusCode": 202}


def freeze(patch: pytest.MonkeyPatch) -> None:
    """Let the clock stand still, and let nothing depend on how this package is installed."""
    patch.setattr("rotation_guard.cli.parsing.datetime", FixedClock)
    patch.setattr("rotation_guard.cli.commands.audit.datetime", FixedClock)
    patch.setattr("rotation_guard.cli.commands.drill.uuid.uuid4", lambda: DRILL_EVENT)
    patch.setattr("rotation_guard.cli.drill.time.monotonic", lambda: 0.0)
    patch.setattr("rotation_guard.cli.provenance.product_version", lambda: "1.2.3")
    patch.setattr("rotation_guard.cli.incident_timeline.find_runbook", lambda: "https://example.com/runbook.md")


def clean_environment(patch: pytest.MonkeyPatch) -> None:
    """Leave nothing of this machine's terminal."""
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "TERM", "TTY_COMPATIBLE", "PYTHONIOENCODING"):
        if name in os.environ:
            patch.delenv(name)
