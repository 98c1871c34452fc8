"""Reading and evaluating a stack is linear in its size, also where all resources share a function, a queue and a role.

`make bench` measures the time.
"""

import pytest

from policies.inputs import state_files
from policies.model.evaluation import check
from tests.policies.large_stacks import build_deliveries, build_pipelines, build_sharing, write_shapes
from tests.work import count_lines

SMALL, LARGE = 40, 80
DELIVERY = (
    "subscription-reaches-its-endpoint",
    "alarm-may-call-its-functions",
    "bucket-notification-reaches-its-destination",
)


def evaluate(content):
    return check(state_files.read(content).resources)


@pytest.mark.parametrize("shape", ["export", "preview"])
def test_a_large_stack_of_pipelines_is_evaluated_completely(shape):
    report = evaluate(write_shapes(build_pipelines(200))[shape])

    assert report.resources >= 1000
    # Readers and targets have complaints, the queues have none.
    assert [complaint for complaint in report.complaints if ":sqs/" in str(complaint.urn)] == []


@pytest.mark.parametrize("shape", ["export", "preview"])
def test_a_large_stack_that_shares_a_function_a_queue_and_a_role_is_evaluated_completely(shape):
    report = evaluate(write_shapes(build_sharing(200))[shape])

    assert report.resources > 1200
    assert [
        complaint
        for complaint in report.complaints
        if "EventTarget" in str(complaint.urn) and complaint.severity != "low"
    ] == []


@pytest.mark.parametrize("shape", ["export", "preview"])
def test_a_large_stack_that_delivers_to_one_function_and_one_queue_is_evaluated_completely(shape):
    report = evaluate(write_shapes(build_deliveries(100))[shape])

    assert report.resources > 1100
    assert [complaint for complaint in report.complaints if complaint.policy in DELIVERY] == []


@pytest.mark.parametrize("shape", ["export", "preview"])
@pytest.mark.parametrize("stack", [build_pipelines, build_sharing, build_deliveries])
def test_twice_the_size_is_twice_the_work(stack, shape):
    contents = [write_shapes(stack(size))[shape] for size in (SMALL, LARGE)]
    # What is computed once per process is no part of the work; other tests may have computed some of it for one size.
    for content in contents:
        evaluate(content)

    few, many = (count_lines(lambda content=content: evaluate(content)) for content in contents)

    # Quadratic work would make it 4; a count of lines is exact, so that a small part of it shows.
    assert many / few < 2.05
