"""The engine gets every rule as a policy, with its level and parameters, at a preview and at an update."""

import shutil
import subprocess
import sys

import grpc
import pytest
from google.protobuf import empty_pb2, json_format
from pulumi.runtime import proto
from pulumi.runtime.proto import analyzer_pb2_grpc

from policies.model.exemptions import today
from policies.model.unjudged import NAME
from policies.rules import RULES
from tests.paths import ROOT
from tests.policies.programs import (
    UNKNOWN,
    Secret,
    event_target,
    json_of,
    make,
    make_alarm_on,
    program,
    queue,
    queue_policy,
)

KEEPS, LETTERS = "queue-keeps-messages", "queue-has-dead-letters"
PACKAGE = ROOT / "policies"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"
dead = queue("dead", messageRetentionSeconds=1_209_600)


class Refused(Exception):
    """The error that the engine receives."""


class Context:
    """The context of a call."""

    def abort(self, code, details):
        raise Refused(code, details)


def by_policy(diagnostics):
    return {(diagnostic.policyName, urn.rpartition(":")[2]): diagnostic for urn, diagnostic in diagnostics}


def test_the_metadata_has_every_rule(engine):
    info = engine().info()
    assert [policy.name for policy in info.policies] == list(RULES)
    about = {policy.name: policy for policy in info.policies}
    assert about[KEEPS].policy_type == proto.PolicyType.POLICY_TYPE_RESOURCE
    assert about[LETTERS].policy_type == proto.PolicyType.POLICY_TYPE_STACK
    assert about[KEEPS].enforcementLevel == proto.MANDATORY
    assert about[KEEPS].severity == proto.POLICY_SEVERITY_HIGH
    assert about[KEEPS].remediation_steps == "Set messageRetentionSeconds to at least 604800."
    assert about[KEEPS].url.startswith("https://docs.aws.amazon.com/")
    schema = json_format.MessageToDict(about[KEEPS].configSchema)
    assert schema["properties"]["minRetentionDays"]["default"] == 7


def test_a_resource_rule_reports_before_the_resource_is_created(engine):
    [request] = program(queue("orders")).analyze_requests()
    [diagnostic] = engine().analyze(request).diagnostics
    assert diagnostic.policyName == KEEPS
    assert diagnostic.enforcementLevel == proto.MANDATORY
    assert "orders" in diagnostic.message
    assert "Set messageRetentionSeconds to 604800" in diagnostic.message


def test_a_finding_of_a_mandatory_policy_may_be_advisory(engine):
    asked = program(queue("chosen", messageRetentionSeconds=60), queue("orders")).analyze_requests()
    pack = engine()
    levels = [diagnostic.enforcementLevel for request in asked for diagnostic in pack.analyze(request).diagnostics]
    assert levels == [proto.ADVISORY, proto.MANDATORY]


def test_levels_and_parameters_of_the_engine_apply(engine):
    pack = engine()
    [request] = program(queue("orders", messageRetentionSeconds=3 * 86_400)).analyze_requests()
    pack.configure({KEEPS: {"enforcementLevel": "advisory", "minRetentionDays": 5}})
    [diagnostic] = pack.analyze(request).diagnostics
    assert diagnostic.enforcementLevel == proto.ADVISORY
    assert "432000" in diagnostic.message
    pack.configure({KEEPS: {"minRetentionDays": 2}})
    assert not pack.analyze(request).diagnostics
    pack.configure({KEEPS: {"enforcementLevel": "disabled"}})
    assert not pack.analyze(request).diagnostics


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"queue-keep-messages": {}}, "did you mean queue-keeps-messages?"),
        ({KEEPS: {"days": 3}}, "has no parameter days"),
        ({KEEPS: {"minRetentionDays": 99}}, "must be at most 14"),
    ],
)
def test_an_invalid_configuration_is_rejected(engine, config, sentence):
    with pytest.raises(Refused) as refused:
        engine().configure(config, Context())
    code, details = refused.value.args
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert sentence in details


def test_a_configured_exemption_applies_to_resource_and_stack_rules(engine):
    pack = engine()
    entry = {"resource": "*::orders", "owner": "shop", "reason": "none", "until": "2999-01-01"}
    orders = program(queue("orders", messageRetentionSeconds=60))
    pack.configure({"exemptions-are-in-order": {"entries": [{"policy": KEEPS, **entry}]}})
    diagnostics = by_policy(pack.run(orders, preview=False))
    assert {name for name, _ in diagnostics} == {KEEPS, LETTERS, "exemptions-are-in-order"}, "it ends too late to hold"
    soon = {"policy": KEEPS, **entry, "until": today().isoformat()}
    pack.configure({"exemptions-are-in-order": {"entries": [soon, {**soon, "policy": LETTERS}]}})
    assert not pack.run(orders, preview=False)


@pytest.mark.parametrize("preview", [False, True])
def test_a_computed_value_counts_as_absent(engine, preview):
    diagnostics = by_policy(engine().run(program(dead, queue("orders")), preview=preview))
    assert (LETTERS, "orders") in diagnostics
    assert (LETTERS, "dead") in diagnostics
    assert not any("can't run policy" in diagnostic.message for diagnostic in diagnostics.values())


def test_a_first_preview_uses_property_dependencies(engine):
    orders = queue("orders", redrivePolicy=json_of(deadLetterTargetArn=dead.arn, maxReceiveCount=5))
    whole = program(dead, make_alarm_on(dead), orders)
    diagnostics = by_policy(engine().run(whole, preview=True))
    assert set(diagnostics) == {(KEEPS, "orders")}


def test_a_stack_without_previous_inputs_is_evaluated_by_its_outputs(engine):
    whole = program(dead, queue("orders"))
    diagnostics = engine().analyze_stack(whole.stack_request(preview=True)).diagnostics
    assert [diagnostic.urn.rpartition(":")[2] for diagnostic in diagnostics if diagnostic.policyName == LETTERS] == [
        "dead",
        "orders",
    ]


def test_an_output_that_reflects_another_resource_is_not_reported_twice(engine):
    open_policy = json_of(Statement=[{"Effect": "Allow", "Principal": "*", "Action": "sqs:*"}])
    orders = queue("orders")
    whole = program(orders, queue_policy("opened", queueUrl=orders.url, policy=open_policy))
    request = whole.stack_request()
    # The provider reads it back like this.
    request.resources[0].properties["policy"] = request.resources[1].properties["policy"]
    pack = engine()
    before = [diagnostic for asked in whole.analyze_requests() for diagnostic in pack.analyze(asked).diagnostics]
    after = pack.analyze_stack(request).diagnostics
    assert [diagnostic.policyName for diagnostic in [*before, *after]].count("queue-policy-is-not-open") == 1


def test_a_secret_value_is_neither_evaluated_nor_shown(engine):
    whole = program(queue("orders", messageRetentionSeconds=Secret(60), policy=Secret("hunter2")))
    diagnostics = engine().run(whole, preview=False)
    assert {diagnostic.policyName for _, diagnostic in diagnostics} == {LETTERS}
    assert "hunter2" not in str(diagnostics)


def test_a_short_retention_is_remediated_if_configured(engine):
    pack = engine()
    [request] = program(queue("orders", messageRetentionSeconds=60, policy=Secret("hidden"))).analyze_requests()
    assert not pack.remediate(request).remediations, "off unless chosen"
    pack.configure({KEEPS: {"enforcementLevel": "remediate", "minRetentionDays": 10}})
    [mended] = pack.remediate(request).remediations
    properties = json_format.MessageToDict(mended.properties)
    assert properties["messageRetentionSeconds"] == 864_000
    assert SECRET_SIGNATURE in properties["policy"].values(), "what was secret stays secret"
    [fine] = program(queue("orders", messageRetentionSeconds=1_209_600)).analyze_requests()
    assert not pack.remediate(fine).remediations


def test_other_providers_and_unusual_values_are_accepted(engine):
    whole = program(
        make("gcp:storage/bucket:Bucket")("theirs", location=UNKNOWN, rules=[{"a": [None, UNKNOWN]}]),
        make("random:index/randomId:RandomId")("id", byteLength=8),
        event_target("t", arn=UNKNOWN, deadLetterConfig=UNKNOWN, retryPolicy=UNKNOWN),
    )
    assert {diagnostic.policyName for _, diagnostic in engine().run(whole, preview=True)} == {NAME}


@pytest.mark.parametrize("preview", [False, True])
def test_resources_without_rules_are_reported_once_per_stack(engine, preview):
    theirs = [make("aws-native:sqs:Queue")(f"q-{number}") for number in range(3)]
    [(urn, diagnostic)] = engine().run(program(*theirs), preview=preview)
    assert "3 resources of aws-native were not judged" in diagnostic.message
    assert (urn, diagnostic.enforcementLevel) == ("", proto.ADVISORY)


def test_thousands_of_resources_are_decoded_once(engine):
    many = [queue(f"q-{index}", messageRetentionSeconds=1_209_600, tags={"a": "b"}) for index in range(2500)]
    targets = [event_target(f"t-{index}", deadLetterConfig={"arn": source.arn}) for index, source in enumerate(many)]
    alarms = [make_alarm_on(source) for source in many]
    diagnostics = engine().analyze_stack(program(*many, *targets, *alarms).stack_request()).diagnostics

    # The dead-letter queues do not allow EventBridge, which is reported about the targets.
    assert {diagnostic.policyName for diagnostic in diagnostics if "::q-" in diagnostic.urn} == set()
    assert any("::t-" in diagnostic.urn for diagnostic in diagnostics)


@pytest.fixture
def published(tmp_path):
    """The package as a published pack: alone, without its environment, in a folder with another name."""
    folder = tmp_path / "rotation-guard-0.1.0"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__", "venv"))
    return folder


def test_the_pack_starts_from_a_folder_of_any_name(published, tmp_path):
    command = [sys.executable, "-m", "pulumi.policy", "127.0.0.1:1", str(published)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=tmp_path, bufsize=0, env={"PYTHONUNBUFFERED": "1"}
    ) as pack:
        try:
            assert pack.stdout
            port = int(pack.stdout.readline())
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                nothing = empty_pb2.Empty()  # ty: ignore[missing-attribute] - made at run time
                info = analyzer_pb2_grpc.AnalyzerStub(channel).GetAnalyzerInfo(nothing, timeout=20)
                request = proto.AnalyzeRequest(type="aws:sqs/queue:Queue", urn="u", name="orders")
                diagnostics = analyzer_pb2_grpc.AnalyzerStub(channel).Analyze(request, timeout=20).diagnostics
        finally:
            pack.kill()
    assert [policy.name for policy in info.policies] == list(RULES)
    assert [diagnostic.policyName for diagnostic in diagnostics] == [KEEPS]


def test_no_module_of_the_package_hides_a_standard_library_module():
    modules = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    modules -= {"__init__", "__main__"}
    assert modules
    assert not modules & sys.stdlib_module_names, "the engine puts this folder first on the path"
