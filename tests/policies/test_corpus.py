"""Policies and other inputs that AWS's documentation calls wrong, and similar ones that it calls right.

Each case in corpus/ has the correct behavior, the page that documents it, and the resources. In properties,
`{"json": ...}` stands for a JSON string of its value. A *reported* case lists the rules of which one must have a
mandatory complaint, or "some rule"; `"level": "advisory"` accepts an advisory one too, and `"once"` allows only one
complaint. An *accepted* case has no mandatory complaint and, without `"advice": true`, no other.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from policies.inputs import state_files
from policies.model.evaluation import check
from policies.rules import RULES

FILES = sorted((Path(__file__).parent / "corpus").glob("*.json"))
REGION, ACCOUNT = "eu-west-1", "111122223333"
PENDING: dict[str, str] = {}
"""Cases with a wrong result, and the reason; a case with a correct result must leave the list."""

_ARNS = {
    "aws:apigateway/restApi:RestApi": "arn:aws:apigateway:{region}::/restapis/{name}",
    "aws:cloudwatch/eventBus:EventBus": "arn:aws:events:{region}:{account}:event-bus/{name}",
    "aws:cloudwatch/eventRule:EventRule": "arn:aws:events:{region}:{account}:rule/{name}",
    "aws:cloudwatch/logGroup:LogGroup": "arn:aws:logs:{region}:{account}:log-group:{name}",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "arn:aws:cloudwatch:{region}:{account}:alarm:{name}",
    "aws:dynamodb/table:Table": "arn:aws:dynamodb:{region}:{account}:table/{name}",
    "aws:iam/policy:Policy": "arn:aws:iam::{account}:policy/{name}",
    "aws:iam/role:Role": "arn:aws:iam::{account}:role/{name}",
    "aws:kinesis/stream:Stream": "arn:aws:kinesis:{region}:{account}:stream/{name}",
    "aws:kms/key:Key": "arn:aws:kms:{region}:{account}:key/{name}",
    "aws:lambda/function:Function": "arn:aws:lambda:{region}:{account}:function:{name}",
    "aws:pipes/pipe:Pipe": "arn:aws:pipes:{region}:{account}:pipe/{name}",
    "aws:s3/bucket:Bucket": "arn:aws:s3:::{name}",
    "aws:scheduler/schedule:Schedule": "arn:aws:scheduler:{region}:{account}:schedule/default/{name}",
    "aws:scheduler/scheduleGroup:ScheduleGroup": "arn:aws:scheduler:{region}:{account}:schedule-group/{name}",
    "aws:secretsmanager/secret:Secret": "arn:aws:secretsmanager:{region}:{account}:secret:{name}-a1b2c3",
    "aws:sfn/stateMachine:StateMachine": "arn:aws:states:{region}:{account}:stateMachine:{name}",
    "aws:sns/topic:Topic": "arn:aws:sns:{region}:{account}:{name}",
    "aws:sqs/queue:Queue": "arn:aws:sqs:{region}:{account}:{name}",
}
"""ARN formats of the service authorization reference."""
_IDENTIFIED_BY_ARN = ("aws:sns/topic:Topic", "aws:secretsmanager/secret:Secret", "aws:iam/policy:Policy")


@dataclass(frozen=True)
class Case:
    """A program, and the correct verdict."""

    id: str
    page: str
    by: tuple[str, ...] | None
    """Rules of which one must complain; empty for any rule, None for an accepted case."""
    advisory: bool
    """Whether an advisory complaint is enough, or allowed in an accepted case."""
    only_one: bool
    """Whether only one complaint is allowed."""
    export: bytes

    def fault(self) -> str | None:
        """Why the pack's result is wrong; None where it is correct."""
        complaints = check(state_files.read(self.export).resources).complaints
        counted = [
            complaint
            for complaint in complaints
            if complaint.enforcement == "mandatory" or self.advisory is (self.by is not None)
        ]
        matching = [complaint for complaint in counted if not self.by or complaint.policy in self.by]
        if self.by is None:
            return "; ".join(f"{complaint.policy} says {complaint.message}" for complaint in matching) or None
        if self.only_one and len(complaints) > 1:
            return f"{len(complaints)} complaints: {', '.join(complaint.policy for complaint in complaints)}"
        reported = sorted({f"{complaint.policy} ({complaint.enforcement})" for complaint in complaints})
        return None if matching else f"no complaint by {' or '.join(self.by) or 'any rule'}, but by {reported}"


def _cases() -> Iterator[Case]:
    for path in FILES:
        subject = json.loads(path.read_text())
        for verdict in ("reported", "accepted"):
            for case in subject[verdict]:
                given = [given_resource for name in case.get("given", ()) for given_resource in subject["given"][name]]
                by = case["by"] if verdict == "reported" else None
                yield Case(
                    id=f"{path.stem}: {case['id']}",
                    page=case["page"],
                    by=by if by is None else () if by == "some rule" else tuple(by),
                    advisory=case.get("level") == "advisory" or case.get("advice", False),
                    only_one=case.get("once", False),
                    export=json.dumps(_export([*given, *case["resources"]])).encode(),
                )


def _export(resources: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {"version": 3, "deployment": {"manifest": {}, "resources": [_state(resource) for resource in resources]}}


def _state(resource: Mapping[str, Any]) -> dict[str, Any]:
    type_, inputs = resource["type"], _as_texts(resource["props"])
    name = inputs.get("name", inputs.get("bucket", resource["name"]))
    arn = _ARNS.get(type_, "arn:aws:unknown:{region}:{account}:{name}")
    arn = arn.format(region=REGION, account=ACCOUNT, name=name)
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
    id_ = url if type_ == "aws:sqs/queue:Queue" else arn if type_ in _IDENTIFIED_BY_ARN else name
    outputs = {"arn": arn, "name": name, "id": id_} | ({"url": url} if type_ == "aws:sqs/queue:Queue" else {})
    urn = f"urn:pulumi:prod::shop::{type_}::{resource['name']}"
    return {"urn": urn, "type": type_, "custom": True, "id": id_, "inputs": inputs, "outputs": outputs | inputs}


def _as_texts(value: Any) -> Any:
    if isinstance(value, Mapping):
        return json.dumps(value["json"]) if set(value) == {"json"} else {key: _as_texts(value[key]) for key in value}
    return [_as_texts(inner) for inner in value] if isinstance(value, list) else value


CASES = list(_cases())


@pytest.mark.parametrize("file", [path.stem for path in FILES])
def test_the_pack_agrees_with_the_documentation_of_aws(file):
    cases = [case for case in CASES if case.id.startswith(f"{file}: ")]
    faults = {case.id: fault for case in cases if (fault := case.fault())}

    assert cases
    assert {id_: fault for id_, fault in faults.items() if id_ not in PENDING} == {}
    assert [case.id for case in cases if case.id in PENDING and case.id not in faults] == []


def test_the_corpus_is_large_and_each_case_has_a_page_and_existing_rules():
    assert sum(case.by is not None for case in CASES) >= 120
    assert sum(case.by is None for case in CASES) >= 120
    assert [id_ for id_, count in Counter(case.id for case in CASES).items() if count > 1] == []
    assert [case.id for case in CASES if not case.page.startswith("https://")] == []
    assert {rule for case in CASES for rule in case.by or ()} <= set(RULES)
    assert set(PENDING) <= {case.id for case in CASES}
