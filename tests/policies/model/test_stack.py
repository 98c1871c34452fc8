"""References are resolved by values, or else by dependencies; otherwise they are undecided."""

import pytest

from policies.model import resource_types
from policies.model.stack import Stack, effective_inputs
from policies.model.values import UNKNOWN, Undecided
from tests.policies.programs import (
    ACCOUNT,
    REGION,
    component,
    event_target,
    function,
    json_of,
    make,
    mapping,
    program,
    queue,
    resource,
    topic,
)
from tests.policies.programs import UNKNOWN as NOBODY_KNOWS

DEAD = queue("dead", name="dead")


def stack_and(*made, preview=False):
    stack = program(*made).stack(preview=preview)
    return stack, lambda made: stack.by_urn(made.urn)


LETTERS = "redrivePolicy.deadLetterTargetArn"


def redriven_to(target):
    return queue("orders", redrivePolicy=json_of(deadLetterTargetArn=target, maxReceiveCount=5))


@pytest.mark.parametrize(
    ("target", "preview"),
    [(DEAD.arn, False), (DEAD.arn, True), (f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead", False)],
    ids=["output, at update", "output, at preview", "written out"],
)
def test_a_reference_is_found(target, preview):
    orders = redriven_to(target)
    stack, at = stack_and(DEAD, queue("other"), orders, preview=preview)
    assert stack.target(at(orders), LETTERS, resource_types.QUEUE) is at(DEAD)
    assert stack.referring(at(DEAD), LETTERS, resource_types.QUEUE).all() == (at(orders),)
    assert not stack.referring(at(queue("other")), LETTERS, resource_types.QUEUE).some()


@pytest.mark.parametrize("account", [ACCOUNT, "444455556666"])
def test_a_literal_arn_is_undecided_while_the_account_is_unknown(account):
    orders = redriven_to(f"arn:aws:sqs:{REGION}:{account}:dead")
    stack, at = stack_and(DEAD, queue("other"), orders, preview=True)
    with pytest.raises(Undecided):
        stack.target(at(orders), LETTERS, resource_types.QUEUE)
    with pytest.raises(Undecided):
        stack.referring(at(DEAD), LETTERS, resource_types.QUEUE).some()
    assert not stack.referring(at(queue("other")), LETTERS, resource_types.QUEUE).some()


@pytest.mark.parametrize(
    ("target", "preview"),
    [
        (None, False),
        ("", True),
        (f"arn:aws:sqs:{REGION}:444455556666:dead", False),
        (f"arn:aws:sns:{REGION}:{ACCOUNT}:dead", False),
        (f"arn:aws:sns:{REGION}:{ACCOUNT}:dead", True),
    ],
    ids=["absent", "empty", "another account", "another service", "another service, at preview"],
)
def test_a_resource_of_another_stack_is_not_found(target, preview):
    t = event_target("t", deadLetterConfig={"arn": target})
    stack, at = stack_and(DEAD, t, preview=preview)
    assert stack.target(at(t), "deadLetterConfig.arn", resource_types.QUEUE) is None
    assert not stack.referring(at(DEAD), "deadLetterConfig.arn", resource_types.EVENT_TARGET).some()


def test_a_property_that_depends_on_two_resources_is_undecided_between_them():
    t = event_target("t", deadLetterConfig={"arn": [DEAD.arn, queue("other").arn]})
    third = queue("third")
    stack, at = stack_and(DEAD, queue("other"), third, t, preview=True)
    with pytest.raises(Undecided):
        stack.target(at(t), "deadLetterConfig.arn", resource_types.QUEUE)
    with pytest.raises(Undecided):
        stack.referring(at(DEAD), "deadLetterConfig.arn", resource_types.EVENT_TARGET).some()
    assert not stack.referring(at(third), "deadLetterConfig.arn", resource_types.EVENT_TARGET).some()


def test_an_unknown_property_without_dependencies_may_refer_to_any_resource():
    t = event_target("t", deadLetterConfig={"arn": NOBODY_KNOWS})
    stack, at = stack_and(DEAD, t, preview=True)
    with pytest.raises(Undecided):
        stack.referring(at(DEAD), "deadLetterConfig.arn", resource_types.EVENT_TARGET).some()
    with pytest.raises(Undecided):
        stack.referring(at(DEAD), "deadLetterConfig.arn", resource_types.EVENT_TARGET).all()


def test_a_property_that_depends_on_another_type_refers_to_none_of_this_type():
    t = event_target("t", arn=topic("t").arn)
    stack, at = stack_and(DEAD, topic("t"), t, preview=True)
    assert stack.target(at(t), "arn", resource_types.QUEUE) is None
    assert not stack.referring(at(DEAD), "arn", resource_types.EVENT_TARGET).some()


def test_a_property_that_depends_on_a_component_may_refer_to_its_children():
    around = component("around")
    inner = queue("inner", parent=around)
    t = event_target("t", deadLetterConfig={"arn": around.deadLetters})
    stack, at = stack_and(around, inner, t, preview=True)
    assert stack.target(at(t), "deadLetterConfig.arn", resource_types.QUEUE) is at(inner)


@pytest.mark.parametrize("called", ["", ":live", ":7"])
def test_a_function_is_found_by_the_arn_of_a_version_or_an_alias(called):
    reader = function("reader", name="reader")
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:reader{called}"
    reads = mapping("reads", functionName=arn)
    stack, at = stack_and(reader, reads)
    assert stack.target(at(reads), "functionName", resource_types.FUNCTION) is at(reader)


def test_a_name_that_two_resources_have_is_undecided():
    twins = [resource(resource_types.QUEUE, name, name="jobs") for name in ("here", "there")]
    stack = Stack(twins)
    with pytest.raises(Undecided):
        stack.find("jobs", resource_types.QUEUE)
    assert stack.find("jobs", resource_types.TOPIC) is None


def test_outputs_are_used_for_identities_only():
    outputs = {"arn": "arn:q", "policy": "set by another", "name": "old", "keyId": UNKNOWN}
    assert effective_inputs({"name": "new"}, outputs, {}) == {"arn": "arn:q", "name": "new"}


def test_an_unknown_output_without_dependencies_is_absent():
    outputs = {"policy": UNKNOWN, "redrivePolicy": UNKNOWN, "fifoQueue": False}
    effective = effective_inputs({}, outputs, {"redrivePolicy": ["urn:dead"], "fifoQueue": []})
    assert effective == {"redrivePolicy": UNKNOWN, "fifoQueue": False}


def test_a_result_is_computed_once_per_stack():
    asked = []
    stack = Stack([])

    def count(of: Stack, what: str) -> int:
        asked.append(what)
        return len(of.resources)

    assert [stack.memoize(count, "a"), stack.memoize(count, "a"), stack.memoize(count, "b")] == [0, 0, 0]
    assert asked == ["a", "b"]


@pytest.mark.parametrize(
    "called",
    ["reader", "reader:live", "reader:$LATEST", f"{ACCOUNT}:function:reader", f"{ACCOUNT}:function:reader:live"]
    + [f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:reader{end}" for end in ("", ":live", ":7")],
)
def test_a_function_is_found_by_every_reference_that_lambda_accepts(called):
    reader = function("reader", name="reader")
    reads = mapping("reads", eventSourceArn="x", functionName=called)
    stack, at = stack_and(reader, function("other", name="live"), reads)
    assert stack.target(at(reads), "functionName", resource_types.FUNCTION) is at(reader)


def test_of_two_resources_with_one_name_the_dependency_is_chosen():
    here, there = queue("here", name="dead"), queue("there", name="dead")
    orders = redriven_to(there.arn)
    stack, at = stack_and(here, there, orders)
    assert stack.target(at(orders), LETTERS, resource_types.QUEUE) is at(there)
    assert stack.referring(at(there), LETTERS, resource_types.QUEUE).all() == (at(orders),)
    assert not stack.referring(at(here), LETTERS, resource_types.QUEUE).some()


@pytest.mark.parametrize("preview", [False, True])
def test_a_reference_in_a_list_is_found(preview):
    orders, other = queue("orders"), queue("other")
    listed = [{"queueArn": "arn:aws:sqs:eu-west-1:444455556666:theirs"}, {"queueArn": orders.arn}]
    notices = make(resource_types.BUCKET_NOTIFICATION)("photos", queues=listed)
    stack, at = stack_and(orders, other, notices, preview=preview)
    assert stack.referring(at(orders), "queues.queueArn", resource_types.BUCKET_NOTIFICATION).all() == (at(notices),)
    assert not stack.referring(at(other), "queues.queueArn", resource_types.BUCKET_NOTIFICATION).some()


def test_a_reference_through_an_attachment_is_undecided_until_its_value_is_known():
    orders = queue("orders")
    guarded = make(resource_types.QUEUE_POLICY)("orders", queueUrl=orders.url, policy="{}")
    redrive = make(resource_types.REDRIVE_POLICY)("orders", queueUrl=guarded.queueUrl, redrivePolicy="{}")
    stack, at = stack_and(DEAD, orders, guarded, redrive, preview=True)
    assert stack.referring(at(orders), "queueUrl", resource_types.REDRIVE_POLICY).undecided
    assert not stack.referring(at(DEAD), "queueUrl", resource_types.REDRIVE_POLICY).undecided
    stack, at = stack_and(DEAD, orders, guarded, redrive)
    assert stack.referring(at(orders), "queueUrl", resource_types.REDRIVE_POLICY).all() == (at(redrive),)
