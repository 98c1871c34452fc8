"""What an execution does with what its steps answer, by the interpreter of the embedded AWS."""

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
HEARD = {"kind": "RotationFailed", "secret_arn": SECRET, "identity": "e-1"}
STARTED_AT, ENTERED_AT = "2026-03-01T01:17:16.000Z", "2026-03-01T01:17:17.000Z"
EXECUTION = {"execution": "arn:execution", "entered_at": ENTERED_AT}
"""What each step is told of its execution."""
INCIDENT = {"secret_arn": SECRET, "opened_at": "2026-03-01T01:17:16Z"}
ENDING = {"outcome": "recovered by AWS", "reason": "", "restarts": [], "version": "v2"}
FUNCTIONS = {step: f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{step}" for step in STEPS}
WORKFLOW = Workflow("aws", FUNCTIONS, CRITICAL, "incidents", probe_seconds=45, debounce_seconds=60, restart_minutes=1)


def _imported(name):
    # It brings a parser that lets the whole process go deeper, where other tests try what goes too deep.
    limit = sys.getrecursionlimit()
    module = importlib.import_module(name)
    sys.setrecursionlimit(limit)
    return module


stepfunctions = _imported("ministack.services.stepfunctions")


class LostRace(Exception):
    """What a step raises where another invocation of it was faster."""


class Steps:
    """Answers in the place of the functions: each step the next of its answers, and its last one from then on."""

    def __init__(self, **answers):
        self.asked = []
        self._answers = {step: list(given) if isinstance(given, list) else [given] for step, given in answers.items()}

    def call(self, function, payload):
        step = function.rpartition(":")[2]
        self.asked.append((step, payload))
        given = self._answers[step]
        answer = given.pop(0) if len(given) > 1 else given[0]
        if isinstance(answer, Exception):
            raise stepfunctions._ExecutionError(type(answer).__name__, "hunter2")
        return answer

    @property
    def turns(self):
        return [payload["turn"] for step, payload in self.asked if step == "notify"]

    def payloads(self, step):
        return [payload for name, payload in self.asked if name == step]


@pytest.fixture
def walk(monkeypatch):
    """Runs an execution to its end: through which states it went, how long it waited, what it published itself."""

    tables = Tables()

    def run(steps):
        definition, waits, published = json.loads(WORKFLOW.definition()), [], []
        monkeypatch.setattr(stepfunctions, "_call_lambda", steps.call)
        monkeypatch.setattr(stepfunctions, "_scaled_sleep", waits.append)
        monkeypatch.setitem(
            stepfunctions._SERVICE_DISPATCH,
            "arn:aws:states:::sns:publish",
            lambda _, given: published.append(given) or {},
        )
        for operation in ("updateItem", "getItem"):
            monkeypatch.setitem(
                stepfunctions._SERVICE_DISPATCH,
                f"arn:aws:states:::dynamodb:{operation}",
                lambda _, given, operation=operation: getattr(tables, xform_name(operation))(given),
            )
        # In a context of its own, where the emulator keeps whose account it is.
        path = contextvars.copy_context().run(_walk, definition)
        return {"path": path, "ended": path[-1], "waits": waits, "published": published}

    return run


def _walk(definition):
    responses.set_request_account_id(ACCOUNT)
    responses.set_request_region(REGION)
    context = {"Execution": {"Id": "arn:execution", "StartTime": STARTED_AT}}
    data, path = {"heard": HEARD}, [definition["StartAt"]]
    while (state := definition["States"][path[-1]])["Type"] not in ("Succeed", "Fail"):
        context["State"] = {"Name": path[-1], "EnteredTime": ENTERED_AT}
        execute = getattr(stepfunctions, f"_execute_{state['Type'].lower()}")
        of_tasks = [{"events": []}] if state["Type"] == "Task" else []
        data, following = execute(state, data, *of_tasks, context)
        path.append(following)
        assert len(path) < 500
    return path


def claimed(outcome="opened", **more):
    return {"outcome": outcome, "incident": INCIDENT, "wait_seconds": 900, "ending": None, **more}


def look(**changes):
    return {
        "state": "mine",
        "recovered": False,
        "rotation": "failed",
        "probe": "",
        "diagnosis": {"users": "single"},
    } | changes


def decided(action, **more):
    return {"action": action, "wait_seconds": 0, "backoff_seconds": 0, **ENDING, **more}


MINE = {"state": "mine", "restarts": False}
TOLD = {"outcome": "told", "teller": False}
BASIC = {"claim": claimed(), "diagnose": look(), "end": MINE, "notify": TOLD}


def test_what_aws_mends_by_itself_is_one_notice_of_its_beginning_and_one_of_its_end(walk):
    steps = Steps(**BASIC, decide=decided("end"))

    run = walk(steps)

    assert run["ended"] == "Done"
    assert steps.turns == ["opened", "recovered"]
    assert run["waits"] == [900]
    assert steps.payloads("claim") == [{**EXECUTION, "heard": HEARD, "started_at": STARTED_AT}]
    assert steps.payloads("decide")[0]["proofs"] == {}
    assert steps.payloads("end") == [{**EXECUTION, "incident": INCIDENT, "heard": HEARD, "ending": ENDING}]
    assert all(EXECUTION.items() <= payload.items() for _, payload in steps.asked)
    assert steps.payloads("notify")[0]["heard"] == HEARD


@pytest.mark.parametrize("outcome", ["known", "late", "quiet"])
def test_what_is_known_already_tells_nobody(walk, outcome):
    steps = Steps(claim=claimed(outcome, incident=None))

    assert walk(steps)["path"] == ["Claim", "Missing", "Claimed", "Done"]
    assert steps.turns == []


def test_a_failure_that_names_no_secret_is_told_all_the_same(walk):
    steps = Steps(claim=claimed("unidentified", incident=None), notify=TOLD)

    assert walk(steps)["ended"] == "Done"
    [told] = steps.payloads("notify")
    assert told == {**EXECUTION, "turn": "unidentified", "incident": None, "heard": HEARD}


def test_a_success_that_is_heard_ends_the_incident_at_once(walk):
    steps = Steps(claim=claimed("recovered", ending=ENDING), end=MINE, notify=TOLD)

    run = walk(steps)

    assert (run["ended"], run["waits"], steps.turns) == ("Done", [], ["recovered"])


def test_who_finds_the_incident_over_tells_nobody_more(walk):
    over = {"state": "over"}
    for steps in (
        Steps(claim=claimed(), notify=TOLD, diagnose=over),
        Steps(**BASIC, decide={"action": "over"}),
        Steps(**{**BASIC, "end": {"state": "over", "restarts": False}}, decide=decided("end")),
        Steps(**BASIC, decide=decided("retry"), retry={"outcome": "over"}),
        Steps(**BASIC, decide=decided("move"), move={"outcome": "over"}),
        Steps(**{**BASIC, "diagnose": [look(), over]}, decide=decided("retry"), retry={"outcome": "asked"}),
    ):
        assert walk(steps)["ended"] == "Done"
        assert [turn for turn in steps.turns if turn != "retried"] == ["opened"]


def test_a_probe_is_asked_where_the_secret_names_one(walk):
    proofs = {"current": "works", "pending": "unknown", "previous": "absent", "notes": []}
    steps = Steps(**{**BASIC, "diagnose": look(probe="arn:probe")}, probe=proofs, decide=decided("end"))

    walk(steps)

    [asked] = steps.payloads("probe")
    assert (asked["probe"], asked["diagnosis"], asked["incident"]) == ("arn:probe", {"users": "single"}, INCIDENT)
    assert steps.payloads("decide")[0]["proofs"] == proofs


def test_a_retry_that_works_is_seen_at_the_next_look(walk):
    looks = [look(), look(rotation="under way"), look(rotation="succeeded"), look(recovered=True)]
    steps = Steps(
        **{**BASIC, "diagnose": looks},
        decide=[decided("retry", number=1, backoff_seconds=120), decided("end", outcome="recovered by retry")],
        retry={"outcome": "asked"},
    )

    run = walk(steps)

    assert run["waits"] == [900, 30, 30]
    assert steps.turns == ["opened", "retried", "recovered"]
    assert [step["recovered"] for step in steps.payloads("decide")] == [False, True]
    assert steps.payloads("retry")[0]["decision"]["number"] == 1


@pytest.mark.parametrize(("rotation", "looked"), [("failed", 1), ("under way", 60)])
def test_a_retry_that_fails_or_shows_nothing_backs_off_only_if_another_is_wanted(walk, rotation, looked):
    looks = [look(), *[look(rotation=rotation)] * looked, look(), look()]
    steps = Steps(
        **{**BASIC, "diagnose": looks},
        decide=[
            decided("retry", backoff_seconds=77),
            decided("back off", wait_seconds=77),
            decided("end", outcome="escalated"),
        ],
        retry={"outcome": "asked"},
    )

    run = walk(steps)

    assert run["waits"] == [900, *[30] * looked, 77]
    assert [step["backoff_seconds"] for step in steps.payloads("decide")] == [0, 77, 0]
    assert run["ended"] == "Done"


@pytest.mark.parametrize("step", ["retry", "move"])
def test_an_action_that_aws_refuses_is_escalated_with_the_reason(walk, step):
    refused = {"outcome": "refused", "reason": "It was refused."}
    steps = Steps(**BASIC, decide=decided(step), **{step: refused})

    run = walk(steps)

    assert run["ended"] == "Done"
    [end] = steps.payloads("end")
    assert end["ending"] == {"outcome": "escalated", "reason": "It was refused.", "restarts": [], "version": "v2"}
    assert steps.turns == ["opened", "escalated"]


@pytest.mark.parametrize("outcome", ["moved", "lost"])
def test_a_move_is_proven_by_the_diagnosis_after_it_and_a_lost_race_is_diagnosed_again(walk, outcome):
    steps = Steps(
        **BASIC, decide=[decided("move"), decided("end", outcome="rolled forward")], move={"outcome": outcome}
    )

    run = walk(steps)

    assert [name for name in run["path"] if name in ("Diagnose", "Move")] == ["Diagnose", "Move", "Diagnose"]
    assert steps.turns == ["opened", "recovered"]


def test_an_action_waits_for_the_change_window_and_is_decided_anew(walk):
    steps = Steps(**BASIC, decide=[decided("wait", wait_seconds=3600), decided("end")])

    run = walk(steps)

    assert run["waits"] == [900, 3600]
    assert run["path"].count("Diagnose") == 2


@pytest.mark.parametrize(("teller", "turns"), [(False, ["opened", "held"]), (True, ["opened", "held", "held_burst"])])
def test_of_all_that_are_held_one_tells_after_some_minutes(walk, teller, turns):
    told = [TOLD, {"outcome": "told", "teller": teller}]
    steps = Steps(**{**BASIC, "notify": told}, decide=decided("end", outcome="held"))

    run = walk(steps)

    assert run["ended"] == "Done"
    assert steps.turns == turns
    assert run["waits"] == [900, *([180] if teller else [])]


def test_what_somebody_has_to_look_at_is_told_and_its_execution_succeeds_so_that_no_alarm_pages_once_more(walk):
    steps = Steps(**BASIC, decide=decided("end", outcome="escalated"))

    assert walk(steps)["ended"] == "Done"
    assert steps.turns == ["opened", "escalated"]
    assert "error" not in steps.payloads("notify")[-1]


LOST = {"secret_arn": SECRET, "opened_at": "2026-02-01T01:17:16Z"}


@pytest.mark.parametrize(("outcome", "turns"), [("quiet", []), ("opened", ["opened", "recovered"]), ("known", [])])
def test_an_incident_whose_row_is_gone_is_told_before_all_else(walk, outcome, turns):
    steps = Steps(**{**BASIC, "claim": claimed(outcome, missing=LOST)}, decide=decided("end"))

    assert walk(steps)["ended"] == "Done"

    assert steps.turns == ["missing", *turns]
    assert steps.payloads("notify")[0] == {**EXECUTION, "turn": "missing", "incident": LOST}


def test_what_still_fails_a_day_after_it_was_escalated_is_reminded_of_and_nothing_is_done(walk):
    steps = Steps(claim=claimed("reminder"), notify=TOLD)

    run = walk(steps)

    assert (run["ended"], run["waits"]) == ("Done", [])
    assert steps.payloads("notify") == [{**EXECUTION, "turn": "reminder", "incident": INCIDENT}]


def resumed(resume_at, **ending):
    return claimed("resumed", wait_seconds=0, resume_at=resume_at, ending={**ENDING, **ending})


def test_an_open_incident_is_resumed_with_a_diagnosis_at_once(walk):
    steps = Steps(**{**BASIC, "claim": resumed("diagnose", outcome="")}, decide=decided("end"))

    run = walk(steps)

    assert (run["ended"], run["waits"]) == ("Done", [])
    # Whoever was told that it opened is not told again: the step knows from the row.
    assert steps.turns == ["opened", "recovered"]


def test_restarts_are_resumed_without_a_wait_and_then_the_incident_is_closed(walk):
    claim = resumed("restart", outcome="rolled forward", restarts=[{"state": "wanted"}])
    steps = Steps(**{**BASIC, "claim": claim}, restart={"state": "settled"})

    run = walk(steps)

    assert (run["ended"], run["waits"], steps.turns) == ("Done", [], ["recovered"])
    assert steps.payloads("restart") == [{**EXECUTION, "incident": INCIDENT, "version": "v2"}]
    assert [step["ending"]["restarts"] for step in steps.payloads("end")] == [[]]


@pytest.mark.parametrize(
    ("outcome", "turns"),
    [
        *((outcome, ["recovered"]) for outcome in ("recovered by AWS", "rolled forward", "fallen back")),
        ("escalated", ["escalated"]),
        ("resolved", ["resolved"]),
        ("restarted", ["restarted"]),
        ("held", ["held", "held_burst"]),
    ],
)
def test_a_notice_that_is_owed_is_sent_and_nothing_else_is_done(walk, outcome, turns):
    steps = Steps(claim=resumed("tell", outcome=outcome), notify={"outcome": "told", "teller": True})

    assert walk(steps)["ended"] == "Done"

    assert {step for step, _ in steps.asked} == {"claim", "notify"}
    assert steps.turns == turns


def test_a_step_that_lost_a_race_against_its_own_earlier_invocation_is_tried_again(walk):
    steps = Steps(**BASIC, decide=[decided("move"), decided("end")], move=[LostRace(), {"outcome": "moved"}])

    run = walk(steps)

    assert run["ended"] == "Done"
    assert run["path"].count("Move") == 1
    assert steps.turns == ["opened", "recovered"]


WANTED = [{"state": "mine", "restarts": True}, MINE]
MOVED = decided("end", outcome="rolled forward", restarts=[{"state": "wanted"}])


def test_dependents_are_restarted_before_the_incident_is_closed(walk):
    watched = [{"state": "waiting"}, {"state": "waiting"}, {"state": "settled"}]
    steps = Steps(**{**BASIC, "end": list(WANTED)}, decide=MOVED, restart={"state": "waiting"}, watch=watched)

    run = walk(steps)

    assert run["waits"] == [900, 60, 15, 15, 15]
    assert steps.turns == ["opened", "recovered"]
    assert [step["ending"]["restarts"] for step in steps.payloads("end")] == [[{"state": "wanted"}], []]
    assert [step["ending"]["outcome"] for step in steps.payloads("end")] == ["rolled forward"] * 2
    assert steps.payloads("restart")[0]["version"] == "v2"


@pytest.mark.parametrize(
    ("restart", "watch", "watched", "reason"),
    [
        ("failed", "", 0, "A restart of what uses the secret failed."),
        ("waiting", "failed", 1, "A restart of what uses the secret failed."),
        ("waiting", "waiting", 4, "A restart of what uses the secret has not settled within 1 minutes."),
    ],
)
def test_a_restart_that_fails_or_never_settles_is_escalated(walk, restart, watch, watched, reason):
    answers = {**BASIC, "end": list(WANTED), "restart": {"state": restart}, "watch": {"state": watch}}
    steps = Steps(**answers, decide=MOVED)

    run = walk(steps)

    assert run["ended"] == "Done"
    assert steps.payloads("end")[-1]["ending"] == {
        "outcome": "escalated",
        "reason": reason,
        "restarts": [],
        "version": "v2",
    }
    assert run["path"].count("Watch") == watched


def test_what_cannot_be_restarted_yet_is_tried_again_after_each_watch(walk):
    watched = [{"state": "wanted"}, {"state": "waiting"}, {"state": "wanted"}, {"state": "settled"}]
    restarted = [{"state": "wanted"}, {"state": "wanted"}, {"state": "waiting"}]
    steps = Steps(**{**BASIC, "end": list(WANTED)}, decide=MOVED, restart=restarted, watch=watched)

    run = walk(steps)

    assert [state for state in run["path"] if state in ("Restart", "Watch")] == [
        "Restart", "Watch", "Restart", "Watch", "Watch", "Restart", "Watch",
    ]  # fmt: skip
    assert run["waits"] == [900, 60, 15, 15, 15, 15]
    assert steps.turns == ["opened", "recovered"]


def test_what_can_never_be_restarted_is_told_as_late_as_what_never_settles(walk):
    answers = {**BASIC, "end": list(WANTED), "restart": {"state": "wanted"}, "watch": {"state": "wanted"}}
    steps = Steps(**answers, decide=MOVED)

    run = walk(steps)

    assert run["path"].count("Watch") == 4
    assert steps.payloads("end")[-1]["ending"]["reason"].endswith("has not settled within 1 minutes.")
    assert run["ended"] == "Done"


@pytest.mark.parametrize("step", ["restart", "watch"])
def test_restarts_that_another_execution_has_taken_over_are_left_to_it(walk, step):
    answers = {"restart": {"state": "waiting"}, "watch": {"state": "waiting"}, step: {"state": "not_owned"}}
    steps = Steps(**{**BASIC, "end": list(WANTED)}, decide=MOVED, **answers)

    run = walk(steps)

    assert run["ended"] == "Done"
    assert len(steps.payloads("end")) == 1
    assert steps.turns == ["opened"]


def test_a_new_value_restarts_dependents_though_there_was_no_incident(walk):
    ending = {**ENDING, "outcome": "restarted"}
    steps = Steps(claim=claimed("moved", ending=ending), restart={"state": "settled"}, end=MINE, notify=TOLD)

    run = walk(steps)

    assert run["waits"] == [60]
    assert steps.turns == ["restarted"]
    assert run["ended"] == "Done"


@pytest.mark.parametrize("step", ["diagnose", "probe", "decide", "retry", "move", "restart", "watch"])
def test_a_step_that_breaks_for_good_escalates_the_incident_by_the_errors_name_alone(walk, step):
    acting = {"retry": "retry", "move": "move"}.get(step)
    answers = {
        **BASIC,
        "diagnose": look(probe="arn:probe" if step == "probe" else ""),
        "probe": {},
        "decide": decided(acting) if acting else MOVED,
        "end": list(WANTED) if step in ("restart", "watch") else MINE,
        "restart": {"state": "waiting"},
        step: LookupError(),
    }
    steps = Steps(**answers)

    run = walk(steps)

    assert run["ended"] == "Done"
    assert len(steps.payloads(step)) == 6
    end = steps.payloads("end")[-1]["ending"]
    assert end["outcome"] == "escalated"
    assert end["reason"] == "A step of the workflow failed for good: LookupError."
    assert steps.turns[-1] == "escalated"
    assert steps.payloads("notify")[-1]["error"] == "LookupError"
    assert "hunter2" not in json.dumps(steps.asked)
    assert run["published"] == []


@pytest.mark.parametrize("step", ["claim", "notify", "end"])
def test_where_not_even_that_can_be_told_the_critical_topic_hears_it_from_the_workflow_itself(walk, step):
    steps = Steps(**{**BASIC, "decide": decided("end"), step: LookupError()})

    run = walk(steps)

    assert run["ended"] == "Done"
    [message] = run["published"]
    assert message["TopicArn"] == CRITICAL
    assert "LookupError" in message["Message"]
    assert "arn:execution" in message["Message"]
    assert SECRET in message["Message"]
    assert "hunter2" not in json.dumps(message)


@pytest.mark.parametrize("outcome", ["recovered by AWS", "held", "escalated"])
def test_an_end_that_nobody_can_be_told_of_is_told_by_the_workflow(walk, outcome):
    steps = Steps(**{**BASIC, "notify": [TOLD, LookupError()]}, decide=decided("end", outcome=outcome))

    run = walk(steps)

    assert run["ended"] == "Done"
    assert len(run["published"]) == 1
    # It has ended as it has: that the notice failed does not change what became of the secret.
    assert [step["ending"]["outcome"] for step in steps.payloads("end")] == [outcome]


@pytest.mark.parametrize(
    "answers",
    [{"decide": decided("dance")}, {"decide": decided("retry"), "retry": {"outcome": "danced"}}],
    ids=["decide", "retry"],
)
def test_a_word_that_the_definition_does_not_know_is_escalated(walk, answers):
    steps = Steps(**BASIC, **answers)

    assert walk(steps)["ended"] == "Done"
    assert steps.payloads("end")[-1]["ending"]["reason"].endswith("UnforeseenAnswer.")


def test_a_step_that_fails_in_passing_is_tried_again_and_nobody_hears_of_it(walk):
    steps = Steps(**{**BASIC, "diagnose": [LookupError(), LookupError(), look()]}, decide=decided("end"))

    run = walk(steps)

    assert run["ended"] == "Done"
    assert steps.turns == ["opened", "recovered"]
    assert run["waits"] == [900, 2, 4]
