"""No update renames a subscription whose endpoint stays, because that would delete it in SNS.

The names in the state are written out here as the engine recorded them, or would have.
"""

import pulumi
import pytest
from pulumi import Output, ResourceHookArgs

from components.notifications.subscription_names import RenameCheck

A, B, C = ({"topic": "failures", "protocol": "email", "endpoint": f"{letter}@example.com"} for letter in "abc")
# printf %s a@example.com | sha256sum | cut -c -8
HASHES = {"a": "08168cd8", "b": "e8f39b3e", "c": "50b313b4"}
ON_CALL = {"topic": "critical", "protocol": "email", "endpoint": "on-call@example.com"}


def secret(subscription):
    return {**subscription, "endpoint": Output.secret(subscription["endpoint"])}


def from_config(subscription):
    """A subscription marked as secret in the stack's configuration: named by its hash."""
    return {**secret(subscription), "name": HASHES[subscription["endpoint"][0]]}


def hook_args(inputs, outputs=None):
    """What the engine passes to the check: the component as the last update left it."""
    return ResourceHookArgs(urn="urn", id="", name="alerts", type="type", old_inputs=inputs, old_outputs=outputs)


@pytest.fixture
def refusal(run):
    """The error message about an update from one list to another; empty if it is accepted.

    The lists are made by functions, as Outputs belong to one program. `names` are those recorded in the state.
    """

    def complaint(before, after, names=None):
        async def check_renames(check, subscriptions):
            args = hook_args({"subscriptions": subscriptions}, {} if names is None else {"subscription_names": names})
            try:
                await check.refuse_renames(args)
            except pulumi.RunError as error:
                return str(error)
            return ""

        def program():
            # The SDK passes a list with a secret in it as one Output.
            listed = before()
            is_secret = any(isinstance(entry["endpoint"], Output) for entry in listed)
            pulumi.export(
                "message", check_renames(RenameCheck("alerts", after()), Output.all(*listed) if is_secret else listed)
            )

        return run(program).outputs["message"]

    return complaint


FIRST_REVISIONS_PLAIN = [
    lambda: [A, B, C],
    lambda: [C, B],
    lambda: [B],
    list,
    lambda: [{**B, "name": "pager"}, A],
    lambda: [A, from_config(B), C],
]


@pytest.mark.parametrize("after", FIRST_REVISIONS_PLAIN)
def test_a_plain_list_from_the_first_revisions_can_be_edited_immediately(refusal, after):
    assert refusal(lambda: [A, B, C], after) == ""


@pytest.mark.parametrize(
    "after",
    [
        lambda: [A, from_config(B), C],
        lambda: [A, B, C],
        lambda: [A, from_config(B)],
        lambda: [A, from_config(B), C, ON_CALL],
        lambda: [A, ON_CALL, C],
    ],
)
def test_a_secret_list_from_the_first_revisions_may_change_if_entries_keep_their_position(refusal, after):
    assert refusal(lambda: [secret(A), secret(B), secret(C)], after) == ""


@pytest.mark.parametrize(
    ("after", "renamed"),
    [
        (lambda: [from_config(B), C], [("email-1", "email-e8f39b3e"), ("email-2", "email-50b313b4")]),
        (lambda: [C, from_config(B), A], [("email-0", "email-08168cd8"), ("email-2", "email-50b313b4")]),
        (lambda: [ON_CALL, A, B, C], [(f"email-{n}", f"email-{HASHES[letter]}") for n, letter in enumerate("abc")]),
    ],
)
def test_a_secret_list_from_the_first_revisions_cannot_move_entries_in_the_same_update(refusal, after, renamed):
    message = refusal(lambda: [secret(A), secret(B), secret(C)], after)

    for old, new in renamed:
        assert f"alerts-failures-{old} must keep its name, got alerts-failures-{new}" in message
    assert message.count("must keep its name") == len(renamed)
    assert "Deploy the list of subscriptions as it was before, then edit it." in message
    assert "@example.com" not in message


def test_the_position_in_the_list_counts_across_topics(refusal):
    """The first revisions counted all subscriptions: this one was critical-email-1."""
    message = refusal(lambda: [A, secret(ON_CALL)], lambda: [{**secret(ON_CALL), "name": "c63654f3"}])

    assert "alerts-critical-email-1 must keep its name, got alerts-critical-email-c63654f3" in message


@pytest.mark.parametrize(
    "after",
    [
        lambda: [C, A],
        lambda: [from_config(C), B, from_config(A)],
        lambda: [ON_CALL, C, B],
        list,
        lambda: [{**C, "name": "pager"}],
    ],
)
def test_a_list_whose_names_are_recorded_can_be_edited_in_any_way(refusal, after):
    names = [f"failures-email-{HASHES[letter]}" for letter in "abc"]

    assert refusal(lambda: [A, secret(B), C], after, names) == ""


@pytest.mark.parametrize(
    ("before", "name", "after", "new"),
    [
        (lambda: {**A, "name": "x"}, "failures-email-x", lambda: {**A, "name": "y"}, "failures-email-y"),
        (lambda: {**A, "name": "x"}, "failures-email-x", lambda: A, "failures-email-08168cd8"),
        (lambda: secret(A), "failures-email", lambda: A, "failures-email-08168cd8"),
        # SNS may consider these the same endpoint.
        (
            lambda: A,
            "failures-email-08168cd8",
            lambda: {**A, "endpoint": "A@example.com"},
            "failures-email-d2b9f228",
        ),
    ],
)
def test_a_subscription_that_stays_is_never_renamed(refusal, before, name, after, new):
    message = refusal(lambda: [before()], lambda: [after()], [name])

    assert f"alerts-{name} must keep its name, got alerts-{new}" in message


def test_a_subscription_with_an_unknown_endpoint_is_not_checked(refusal):
    def after():
        return [{**A, "endpoint": Output.from_input(pulumi.output.Unknown()), "name": "x"}]

    assert refusal(lambda: [A], after, ["failures-email-08168cd8"]) == ""


def test_a_new_component_or_one_without_subscriptions_has_nothing_to_rename(run):
    async def check_renames(check, args):
        await check.refuse_renames(args)
        return "accepted"

    def program():
        for number, inputs in enumerate((None, {}, {"subscriptions": None})):
            pulumi.export(str(number), check_renames(RenameCheck("alerts", [A]), hook_args(inputs)))

    assert run(program).outputs == {"0": "accepted", "1": "accepted", "2": "accepted"}


@pytest.mark.parametrize(
    ("outputs", "may_have_former_names"),
    [
        (None, True),
        ({}, True),
        ({"subscription_names": []}, True),
        ({"subscription_names": ["failures-email-08168cd8"]}, False),
    ],
)
def test_former_names_are_ruled_out_once_names_are_recorded(run, outputs, may_have_former_names):
    """Otherwise a list whose last update failed at a bad entry could not be repaired: no names would be recorded."""

    async def check_renames(check):
        results = [check.may_have_former_names]
        await check.refuse_renames(hook_args({"subscriptions": [A]}, outputs))
        results.append(check.may_have_former_names)
        check.note_creation(hook_args(None))
        return [*results, check.may_have_former_names]

    results = run(lambda: pulumi.export("message", check_renames(RenameCheck("alerts", [A])))).outputs["message"]

    assert results == [True, may_have_former_names, False]
