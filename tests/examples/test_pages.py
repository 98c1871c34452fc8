"""The pages of the examples: their snippets are valid Pulumi programs with least privilege."""

import re

import pytest

from local.mocks import recording
from tests.paths import ROOT

PAGES = sorted((ROOT / "examples" / "probe").glob("*/README.md"))
FUNCTION, SECRET = "aws:lambda/function:Function", "aws:secretsmanager/secret:Secret"
CONFIG = {f"{recording.PROJECT}:{key}": '["one"]' for key in ("subnetIds", "securityGroupIds")}


@pytest.fixture(scope="module", params=PAGES, ids=lambda page: page.parent.name)
def deployed(request):
    [snippet] = re.findall(r"```python\n(.*?)```", request.param.read_text(), re.DOTALL)
    program = compile(snippet, str(request.param), "exec")
    return recording.run(lambda: exec(program, {}), config=CONFIG)  # noqa: S102 - it is in this repository


def test_every_example_has_a_page():
    assert [page.parent.name for page in PAGES] == ["https", "postgresql"]


def test_a_snippet_deploys_a_probe_named_by_its_secret_and_the_outputs(deployed):
    [function], [secret] = deployed.of_type(FUNCTION), deployed.of_type(SECRET)

    assert secret.inputs["tags"]["rotation-guard:probe"] == function.inputs["name"]
    assert deployed.outputs == {"probe_function_arn": function.arn}
    assert function.inputs["handler"] == "probe.handler"
    assert function.inputs["timeout"] < 10


def test_a_snippet_grants_only_reading_that_secret(deployed):
    [secret] = deployed.of_type(SECRET)
    [policy] = deployed.of_type("aws:iam/rolePolicy:RolePolicy")

    assert policy.policy() == [{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret.arn}]
