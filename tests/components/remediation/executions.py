"""Runs executions of the workflow in the emulator's interpreter, with prepared results of its steps."""

import contextvars
import importlib
import json
import sys

import pytest
from botocore import xform_name
from ministack.core import responses

from components.remediation.workflow import Workflow
from tests.remediation.tables import Tables

ACCOUNT, REGION = "111122223333", "eu-west-1"
CRITICAL = f"arn:aws:sns:{REGION}:{ACCOUNT}:critical"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:orders/db-Ab12Cd"
STEPS = ("claim", "diagnose", "decide", "end", "notify", "retry", "move", "probe", "restart", "watch")
SIGNAL = {"kind": "RotationFailed", "secret_arn": SECRET, "identity": "e-1"}
STARTED_AT, ENTERED_AT = "2026-03-01T01:17:16.000Z", "2026-03-01T01:17:17.000Z"
EXECUTION = {"execution": "arn:execution", "entered_at": ENTERED_AT}
"""The fields about the execution in the input of each step."""
INCIDENT = {"secret_arn": SECRET, "opened_at": "2026-03-01T01:17:16Z"}
ENDING = {"outcome": "recovered by AWS", "reason": "", "restarts": [], "version": "v2"}
FUNCTIONS = {step: f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{step}" for step in STEPS}
WORKFLOW = Workflow("aws", FUNCTIONS, CRITICAL, "incidents", probe_seconds=45, debounce_seconds=60, restart_minutes=1)


def _import_module(name):
    # Its parser raises the recursion limit of the process, which other tests rely on.
    limit = sys.getrecursionlimit()
    module = importlib.import_module(name)
    sys.setrecursionlimit(limit)
    return module


stepfunctions = _import_module("ministack.services.stepfunctions")


class LostRace(Exception):
    """Raised by a step if another invocation of it was faster."""


class Steps:
    """Stands in for the functions: each call of a step returns its next answer, and the last one repeatedly."""

    def __init__(self, **answers):
        self.calls = []
        self._answers = {
            step: list(queued) if isinstance(queued, list) else [queued] for step, queued in answers.items()
        }

    def call(self, function, payload):
        step = function.rpartition(":")[2]
        self.calls.append((step, payload))
        queued = self._answers[step]
        answer = queued.pop(0) if len(queued) > 1 else queued[0]
        if isinstance(answer, Exception):
            raise stepfunctions._ExecutionError(type(answer).__name__, "hunter2")
        return answer

    @property
    def transitions(self):
        return [payload["turn"] for step, payload in self.calls if step == "notify"]

    def payloads(self, step):
        return [payload for name, payload in self.calls if name == step]


def run_execution(steps):
    """Runs an execution to its end; returns its path, its waits, and what it published without a function."""
    tables = Tables()
    with pytest.MonkeyPatch.context() as monkeypatch:
        definition, waits, published = json.loads(WORKFLOW.definition()), [], []
        monkeypatch.setattr(stepfunctions, "_call_lambda", steps.call)
        monkeypatch.setattr(stepfunctions, "_scaled_sleep", waits.append)
        monkeypatch.setitem(
            stepfunctions._SERVICE_DISPATCH,
            "arn:aws:states:::sns:publish",
            lambda _, request: published.append(request) or {},
        )
        for operation in ("updateItem", "getItem"):
            monkeypatch.setitem(
                stepfunctions._SERVICE_DISPATCH,
                f"arn:aws:states:::dynamodb:{operation}",
                lambda _, request, operation=operation: getattr(tables, xform_name(operation))(request),
            )
        # In a separate context, because the emulator stores the account of the request there.
        path = contextvars.copy_context().run(_run_definition, definition)
        return {"path": path, "ended": path[-1], "waits": waits, "published": published}


def _run_definition(definition):
    responses.set_request_account_id(ACCOUNT)
    responses.set_request_region(REGION)
    context = {"Execution": {"Id": "arn:execution", "StartTime": STARTED_AT}}
    data, path = {"heard": SIGNAL}, [definition["StartAt"]]
    while (state := definition["States"][path[-1]])["Type"] not in ("Succeed", "Fail"):
        context["State"] = {"Name": path[-1], "EnteredTime": ENTERED_AT}
        execute = getattr(stepfunctions, f"_execute_{state['Type'].lower()}")
        task_args = [{"events": []}] if state["Type"] == "Task" else []
        data, next_state = execute(state, data, *task_args, context)
        path.append(next_state)
        assert len(path) < 500
    return path


def claim_result(outcome="opened", **more):
    return {"outcome": outcome, "incident": INCIDENT, "wait_seconds": 900, "ending": None, **more}


def diagnose_result(**changes):
    return {
        "state": "mine",
        "recovered": False,
        "rotation": "failed",
        "probe": "",
        "diagnosis": {"users": "single"},
    } | changes


def decision(action, **more):
    return {"action": action, "wait_seconds": 0, "backoff_seconds": 0, **ENDING, **more}


OWNED = {"state": "mine", "restarts": False}
NOTIFIED = {"outcome": "told", "teller": False}
BASIC = {"claim": claim_result(), "diagnose": diagnose_result(), "end": OWNED, "notify": NOTIFIED}


def resume_result(resume_at, **ending):
    return claim_result("resumed", wait_seconds=0, resume_at=resume_at, ending={**ENDING, **ending})


PENDING_RESTARTS = [{"state": "mine", "restarts": True}, OWNED]
MOVED_WITH_RESTARTS = decision("end", outcome="rolled forward", restarts=[{"state": "wanted"}])
