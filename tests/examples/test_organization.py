"""The example of a hub with members in rings, as a program that is deployed."""

import json
import sys

import pytest
import yaml

import rotation_guard
from local.check_own_stack import read_resources
from local.deploy import program
from local.mocks import recording
from policies.model.evaluation import check
from tests.paths import ROOT

EXAMPLE = ROOT / "examples" / "organization"
PROVIDER = "pulumi:providers:aws"
GUARD, MEMBER = "rotation-guard:index:RotationGuard", "rotation-guard:index:Member"
RINGS = [["sandbox"], ["shop-staging", "pay-staging"], ["shop", "shop-us", "pay"]]


@pytest.fixture(scope="module")
def config():
    values = yaml.safe_load((EXAMPLE / "Pulumi.example.yaml").read_text())["config"]
    defaults = yaml.safe_load((EXAMPLE / "Pulumi.yaml").read_text())["config"]
    given = {key.rpartition(":")[2]: value for key, value in values.items()}
    return {key: declared["default"] for key, declared in defaults.items() if "default" in declared} | given


def deploy_example(config):
    """What the example registers. It imports the components as an installed package has them."""
    text = {
        f"{recording.PROJECT}:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in config.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rotation_guard, "__path__", [*rotation_guard.__path__, str(ROOT)])
        try:
            return recording.run(lambda: program.execute(EXAMPLE), config=text)
        finally:
            for name in [name for name in sys.modules if name.startswith("rotation_guard.components")]:
                del sys.modules[name]


@pytest.fixture(scope="module")
def deployed(config):
    return deploy_example(config)


def members(config):
    return [(ring, place) for ring in config["rings"] for place in ring["members"]]


def test_the_example_installs_the_checkout_that_it_is_in():
    project = yaml.safe_load((EXAMPLE / "Pulumi.yaml").read_text())

    assert (EXAMPLE / "requirements.txt").read_text() == "../..[pulumi]\n"
    assert project["runtime"] == {"name": "python", "options": {"toolchain": "pip", "virtualenv": "venv"}}
    assert "$ pulumi install\n" in (EXAMPLE / "README.md").read_text()


def test_each_place_has_a_provider_with_a_role_of_its_account(config, deployed):
    providers = {resource.name: resource.inputs for resource in deployed.of_type(PROVIDER)}

    assert set(providers) == {"hub", *(place["name"] for _, place in members(config))}
    for name, place in [("hub", config["hub"]), *((place["name"], place) for _, place in members(config))]:
        assert providers[name]["region"] == place["region"]
        assert f"arn:aws:iam::{place['account']}:role/rotation-guard-deploy" in str(providers[name]["assumeRoles"])
        assert place["account"] in str(providers[name]["allowedAccountIds"])


def test_each_member_has_a_guard_in_the_mode_of_its_ring_that_tells_the_hub(config, deployed):
    for ring, place in members(config):
        guard = deployed.named(GUARD, f"{place['name']}-guard")
        assert guard.inputs["remediation_mode"] == ring["remediationMode"]
        assert guard.inputs["publish_status"] is True
        member = deployed.named(MEMBER, f"{place['name']}-member")
        assert member.inputs["hub_event_bus_arn"] == deployed.outputs["event_bus_arn"]


def test_a_ring_begins_once_everything_of_the_ring_before_is_there(deployed):
    assert [len(ring) for ring in RINGS] == [1, 2, 3]
    providers = {resource.name: resource for resource in deployed.of_type(PROVIDER)}
    for before, ring in zip([[], *RINGS], RINGS, strict=False):
        needed = {
            resource.urn
            for resource in deployed.custom()
            if resource.type != PROVIDER
            and any(resource.name.startswith((f"{name}-guard", f"{name}-member")) for name in before)
        }
        assert bool(needed) == bool(before)
        for name in ring:
            assert needed <= providers[name].depends_on


def test_behind_an_empty_ring_the_next_one_waits_for_the_one_before(config):
    canary, *_ = config["rings"]
    last = {"name": "last", "remediationMode": "notify", "members": [config["rings"][2]["members"][0]]}
    deployed = deploy_example({**config, "rings": [canary, {**canary, "members": []}, last]})

    [provider] = [resource for resource in deployed.of_type(PROVIDER) if resource.name == "shop"]
    assert {
        resource.urn for resource in deployed.custom() if resource.name.startswith(("sandbox-guard", "sandbox-member"))
    } <= provider.depends_on


def test_the_provider_of_a_member_is_there_before_anything_of_the_member(deployed):
    names = [name for ring in RINGS for name in ring]
    order = [resource.name for resource in deployed.resources]

    for name in names:
        first = next(index for index, made in enumerate(order) if made.startswith(f"{name}-guard-"))
        assert order.index(name) < first


def test_the_policy_pack_has_no_mandatory_complaint(deployed):
    report = check(read_resources(deployed))

    assert report.resources > 500
    assert report.mandatory == ()


def test_the_readme_names_files_that_exist():
    assert {path.name for path in EXAMPLE.iterdir()} >= {
        "__main__.py",
        "Pulumi.yaml",
        "Pulumi.example.yaml",
        "README.md",
    }
