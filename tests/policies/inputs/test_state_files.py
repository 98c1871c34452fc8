"""Whatever Pulumi writes of a stack is read as that stack: of any age, compressed, streamed, with text around."""

import gzip
import json

import pytest

from policies.inputs import state_files
from policies.inputs.state_files import NotAnExport
from tests.policies.programs import program, queue

PROGRAM = program(queue("orders", messageRetentionSeconds=60), queue("dead"))
NAMES = {"orders", "dead"}
ROOT = "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev"


def read(content):
    if not isinstance(content, bytes):
        content = (content if isinstance(content, str) else json.dumps(content)).encode()
    return state_files.read(content)


def names(contents):
    return {resource.name for resource in contents.resources} - {"shop-dev"}


def events(*changes, planning=True, operation="create", result="succeeded"):
    """What the engine says of PROGRAM, one event after the other, as Pulumi's apitype.EngineEvent has them."""
    root = {"urn": ROOT, "type": "pulumi:pulumi:Stack", "id": "", "parent": "", "inputs": {}, "outputs": {}}
    states = [root, *(_as_event_state(step["newState"]) for step in PROGRAM.previewed()["steps"])]
    steps = [
        {kind: {"metadata": _as_metadata(operation, state), "planning": planning}}
        for state in states
        for kind in ("resourcePreEvent", "resOutputsEvent")
    ]
    summary = {"maybeCorrupt": False, "durationSeconds": 1, "resourceChanges": {operation: len(states)}}
    stream = [
        {"preludeEvent": {"config": {"aws:region": "eu-west-1"}}},
        *steps,
        *changes,
        {"summaryEvent": {**summary, "isPreview": planning, "result": result}},
        {"cancelEvent": {}},
    ]
    return [{"sequence": number, "timestamp": 1_890_000_000, **event} for number, event in enumerate(stream)]


def _as_metadata(operation, state):
    step = {"op": operation, "urn": state["urn"], "type": state["type"], "old": None, "new": state}
    return {**step, "detailedDiff": None, "provider": ""}


def _as_event_state(state):
    keys = ("urn", "type", "custom", "inputs", "provider")
    return {key: state[key] for key in keys if key in state} | {"id": "", "parent": "", "outputs": {}}


def lines(stream, around=("", "")):
    return around[0] + "".join(f"{json.dumps(event)}\n" for event in stream) + around[1]


@pytest.mark.parametrize("planning", [True, False])
@pytest.mark.parametrize(
    "around",
    [
        ("", ""),
        ("Installing policy pack acme-aws 0.0.7...\n", "\nPolicies:\n    acme-aws@v0.0.7 {ok}\n"),
        ("warning: {name} of { is deprecated\nwarning: {'a': 1}\n\n", "use {\n"),
    ],
)
def test_streamed_events_are_read_like_the_preview(planning, around):
    contents = read(lines(events(planning=planning), around))

    assert names(contents) == NAMES
    assert (contents.failure, contents.missing) == (None, 0)
    [orders] = [resource for resource in contents.resources if resource.name == "orders"]
    assert orders.props == {"messageRetentionSeconds": 60}


def test_a_stream_with_lines_of_text_in_between_is_read():
    stream = [json.dumps(event) for event in events()]

    contents = read("\nwarning: a new version {of something} is available\n".join(stream))

    assert names(contents) == NAMES


def test_created_resources_have_their_outputs():
    made = events(planning=False)
    for event in made:
        if "resOutputsEvent" in event and "Queue" in event["resOutputsEvent"]["metadata"]["urn"]:
            state = event["resOutputsEvent"]["metadata"]["new"]
            event["resOutputsEvent"]["metadata"]["new"] = {**state, "outputs": {"arn": "arn:aws:sqs:eu-west-1:1:q"}}

    contents = read(lines(made))

    assert {resource.props.get("arn") for resource in contents.resources if "Queue" in resource.type} == {
        "arn:aws:sqs:eu-west-1:1:q"
    }


def test_resources_that_the_events_delete_are_absent():
    urn = PROGRAM.resources[0].urn
    gone = {"op": "delete", "urn": urn, "type": "aws:sqs/queue:Queue", "old": {"urn": urn}, "new": None}

    contents = read(lines(events({"resourcePreEvent": {"metadata": gone}}, {"resOutputsEvent": {"metadata": gone}})))

    assert names(contents) == {"dead"}


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (events({"diagnosticEvent": {"severity": "error", "prefix": "<{%fg 9%}>error: <{%reset%}>", "message":
                "no such region\n", "color": "raw"}}, result="failed"), "error: no such region"),
        (events(result="failed"), "result is failed"),
        (events(result="canceled"), "result is canceled"),
        (events()[:-2], "end before the summary"),
    ],
    ids=["an error", "failed", "canceled", "cut off between two events"],
)  # fmt: skip
def test_events_of_a_failed_operation_have_the_failure(stream, words):
    contents = read(lines(stream))

    assert words in contents.failure
    assert names(contents) == NAMES


def test_an_ephemeral_error_is_no_failure():
    shown = {"severity": "error", "message": "retrying", "color": "raw", "ephemeral": True}

    assert read(lines(events({"diagnosticEvent": shown}))).failure is None


@pytest.mark.parametrize("cut", [2, 3, 40, 200])
def test_truncated_events_are_rejected(cut):
    text = lines(events())

    with pytest.raises(NotAnExport, match=r"breaks off at line \d+"):
        read(text[: -len(text.splitlines(keepends=True)[-1]) - cut])


@pytest.mark.parametrize(
    "before",
    [
        "Previewing update (dev): {",
        "warning: {a} {\nwarning: resource {'x': [1]} of {\"y\": 2} has {}\n",
        "Loading policy packs... ",
        '{"level": "info", "message": "started"}\n',
        "\N{BYTE ORDER MARK}\n",
        "\x1b[1mInstalling\x1b[0m {\n\n",
    ],
)
@pytest.mark.parametrize("form", ["previewed", "exported"])
def test_text_with_braces_around_the_json_is_ignored(before, form):
    text = json.dumps(getattr(PROGRAM, form)(), indent=4)

    assert names(read(f"{before}{text}\r\nPolicies:\r\n    {{acme}} {{\r\n")) == NAMES


@pytest.mark.parametrize("form", ["previewed", "exported"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_truncated_json_after_text_is_rejected(form, share):
    text = f"Installing {{pack}}...\n{json.dumps(getattr(PROGRAM, form)(), indent=4)}"

    with pytest.raises(NotAnExport, match="breaks off at line"):
        read(text[: int(len(text) * share)])


def test_two_previews_in_one_file_are_rejected():
    preview = json.dumps(PROGRAM.previewed())

    with pytest.raises(NotAnExport, match="holds 2 exports or previews"):
        read(f"{preview}\n{preview}\n")


@pytest.mark.parametrize("stream", ['{"config": {}}', '{"config": {}, "duration": 1}', '{"events": []}'])
def test_json_without_steps_or_diagnostics_is_no_preview(stream):
    with pytest.raises(NotAnExport):
        read(stream)
    with pytest.raises(NotAnExport):
        read(f"Installing...\n{stream}\n")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("text", [lines(events()), f"Installing...\n{json.dumps(PROGRAM.previewed())}"])
def test_any_unicode_encoding_is_read(encoding, text):
    assert names(read(text.encode(encoding))) == NAMES


DEPLOYMENT = PROGRAM.exported()["deployment"]


@pytest.mark.parametrize(
    "content",
    [
        {"stack": "dev", "config": {"a:b": {"value": "c"}}, "latest": DEPLOYMENT},
        *({"version": version, "checkpoint": {"stack": "dev", "latest": DEPLOYMENT}} for version in (1, 2, 3, 4)),
        *({"version": version, "deployment": DEPLOYMENT} for version in (1, 2, 3, 4)),
        {"version": 4, "features": ["taint"], "checkpoint": {"stack": "dev", "latest": DEPLOYMENT}},
        {"version": 4, "features": ["snippets"], "deployment": {**DEPLOYMENT, "snippets": []}},
    ],
)
def test_every_version_of_a_state_is_read(content):
    assert names(read(content)) == NAMES


@pytest.mark.parametrize(
    "content",
    [
        {"version": 3, "checkpoint": {"stack": "organization/shop/dev"}},
        {"version": 3, "checkpoint": {"stack": "dev", "config": {}, "latest": None}},
        {"version": 1, "checkpoint": {"stack": "dev", "latest": {"manifest": {}}}},
        {"version": 3, "checkpoint": {"stack": "dev", "latest": {"manifest": {}, "resources": None}}},
        {"version": 3, "deployment": None},
        {"version": 3, "deployment": {}},
        {"version": 3},
        {"version": 4, "features": []},
        {"stack": "dev"},
    ],
)
def test_a_stack_without_resources_has_none(content):
    contents = read(content)

    assert (contents.resources, contents.failure, contents.missing) == ((), None, 0)


@pytest.mark.parametrize(
    "content",
    [
        {"version": 1, "checkpoint": {"step": 1000}},
        {"stack": "web", "config": {}},
        {"version": "3", "features": []},
        {},
    ],
)
def test_another_kind_of_file_is_no_empty_stack(content):
    with pytest.raises(NotAnExport):
        read(content)


@pytest.mark.parametrize("content", [{"version": 5, "deployment": DEPLOYMENT}, {"version": 9, "checkpoint": {
        "stack": "dev", "latest": DEPLOYMENT}}])  # fmt: skip
def test_a_newer_state_format_is_rejected(content):
    with pytest.raises(NotAnExport, match=rf"must be at most 4, got {content['version']}"):
        read(content)


def test_the_compressed_file_of_a_backend_is_read():
    data = gzip.compress(json.dumps({"version": 3, "checkpoint": {"stack": "dev", "latest": DEPLOYMENT}}).encode())

    assert names(read(data)) == NAMES
    with pytest.raises(NotAnExport, match="breaks off"):
        read(data[:-20])
    with pytest.raises(NotAnExport, match="cannot be decompressed"):
        read(data[:2] + b"x" * 40)
    with pytest.raises(NotAnExport, match="zstd"):
        read(b"\x28\xb5\x2f\xfd rest")


def test_pending_creations_are_counted_if_the_resource_may_exist():
    [orders, dead] = [state for state in DEPLOYMENT["resources"] if "Queue" in state["type"]]
    operations = [{"resource": orders, "type": "creating"}, {"resource": dead, "type": "updating"}]
    without = [state for state in DEPLOYMENT["resources"] if state is not orders]

    contents = read(
        {"version": 3, "deployment": {**DEPLOYMENT, "resources": without, "pending_operations": operations}}
    )

    assert names(contents) == {"dead"}
    assert contents.pending == 1
    assert read({"version": 3, "deployment": {**DEPLOYMENT, "pending_operations": operations}}).pending == 0


def test_resources_pending_deletion_are_ignored():
    resources = [{**state, "delete": state["urn"].endswith("::orders")} for state in DEPLOYMENT["resources"]]

    assert names(read({"version": 3, "deployment": {**DEPLOYMENT, "resources": resources}})) == {"dead"}


def build_nested_export(depth):
    """An export whose queue has inputs of this depth."""
    inputs = '{"a":' * depth + "1" + "}" * depth
    state = (
        f'{{"urn": "urn:pulumi:dev::shop::aws:sqs/queue:Queue::q", "type": "aws:sqs/queue:Queue", "inputs": {inputs}}}'
    )
    return f'{{"version": 3, "deployment": {{"resources": [{state}]}}}}'


@pytest.mark.parametrize("before", ["", "Installing...\n"])
def test_json_nested_too_deeply_after_text_is_rejected(before):
    with pytest.raises(NotAnExport, match="nested too deeply"):
        read(before + build_nested_export(200_000))


@pytest.mark.parametrize("before", ["", "Installing...\n"])
def test_json_near_the_recursion_limit_of_python_is_read_or_rejected(before):
    # Python 3.13 reads what 3.11 cannot.
    try:
        assert names(read(before + build_nested_export(600))) == {"q"}
    except NotAnExport as rejected:
        assert "nested too deeply" in str(rejected)  # noqa: PT017 - either is right
