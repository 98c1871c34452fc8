"""IAM policy syntax: every action exists, and no key is duplicated."""

from ..aws.iam import actions as iam_actions
from ..aws.iam import identity_policies
from ..aws.iam.access_inputs import NARROWING_POLICIES
from ..aws.iam.policy_documents import Statement
from ..model import resource_types, values
from ..model.finding import Complaints, Finding
from ..model.rule import check_each, rule
from ..model.stack import Resource
from .iam_policies import DOCUMENTS, TYPES, read_resource_policy

_GUIDE = "https://docs.aws.amazon.com/IAM/latest/UserGuide"
_REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference"


@rule(
    *TYPES,
    *NARROWING_POLICIES,
    resource_types.FUNCTION_PERMISSION,
    severity="medium",
    enforcement="mandatory",
    link=f"{_REFERENCE}/reference_policies_actions-resources-contextkeys.html",
)
def actions_exist(holder: Resource) -> Complaints:
    """Every action in a policy exists: a misspelled one neither allows nor denies anything.

    Set Action to one that exists.
    """
    if holder.type == resource_types.FUNCTION_PERMISSION:
        yield from check_each(
            [holder.texts("action")], lambda actions: _find_unknown(f"The permission {holder.name} has", actions)
        )
        return

    def check(statement: Statement) -> Complaints:
        actions = [*statement.actions, *statement.not_actions]
        return _find_unknown(f"The policy {holder.name} has in {statement.name}", actions)

    yield from check_each(identity_policies.read(holder) + read_resource_policy(holder), check)


@rule(
    *TYPES,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/reference_policies_grammar.html",
)
def policy_repeats_no_key(holder: Resource) -> Complaints:
    """A policy document has no duplicate keys: only one of their values has an effect.

    Merge the values into one key.
    """
    documents = list(identity_policies.documents(holder))
    if holder.type in DOCUMENTS:
        documents.append(holder.value(DOCUMENTS[holder.type]))
    for key in dict.fromkeys(
        key for document in documents if isinstance(document, str) for key in values.repeated_keys(document)
    ):
        yield Finding(
            f"The policy {holder.name} has the key {key} twice in one object, so one of its values has no effect.",
            f"Set {key} once, with all values.",
        )


def _find_unknown(start: str, actions: list[str]) -> Finding | None:
    """Report the actions that do not exist, each with the reason."""
    wrong = {action: why for action in actions if (why := iam_actions.unknown(action))}
    if not wrong:
        return None
    listed = ", and ".join(f"the action {action}, which {why}" for action, why in wrong.items())
    return Finding(f"{start} {listed}{'' if listed.endswith('?') else '.'}", "Set Action to one that exists.")
