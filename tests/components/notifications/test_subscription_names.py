"""No update renames a subscription whose endpoint stays, because SNS would end it.

What the state holds under which name is written down here as the engine kept it, or would have.
"""

import pulumi
import pytest
from pulumi import Output, ResourceHookArgs

from components.notifications.subscription_names import RenameCheck

A, B, C = ({"topic": "failures", "protocol": "email", "endpoint": f"{who}@example.com"} for who in "abc")
# printf %s a@example.com | sha256sum | cut -c -8
HASHES = {"a": "08168cd8", "b": "e8f39b3e", "c": "50b313b4"}
ON_CALL = {"topic": "critical", "protocol": "email", "endpoint": "on-call@example.com"}


def secret(subscription):
    return {**subscription, "endpoint": Output.secret(subscription["endpoint"])}


def from_config(subscription):
    """As the stack's configuration gives one that is marked as secret: with its hash for a name."""
    return {**secret(subscription), "name": HASHES[subscription["endpoint"][0]]}


def hook_args(inputs, outputs=None):
    """What the engine hands to the check: the component as the last update left it."""
    return ResourceHookArgs(urn="urn", id="", name="told", type="type", old_inputs=inputs, old_outputs=outputs)


@pytest.fixture
def refusal(run):
    """What is said about an update of these subscriptions to those; empty where it may go on.

    The lists are made by functions: Outputs live in one program. `names` are those that the state records.
    """

    def complaint(before, after, names=None):
        async def ask(check, subscriptions):
            args = hook_args({"subscriptions": subscriptions}, {} if names is None else {"subscription_names": names})
            try:
                await check.refuse_renames(args)
            except pulumi.RunError as error:
                return str(error)
            return ""

        def program():
            # As the SDK hands over a list with something secret in it: an Output of the whole.
            listed = before()
            is_secret = any(isinstance(one["endpoint"], Output) for one in listed)
            pulumi.export("said", ask(RenameCheck("told", after()), Output.all(*listed) if is_secret else listed))

        return run(program).outputs["said"]

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
def test_a_list_of_plain_endpoints_from_the_first_revisions_can_be_edited_at_once(refusal, after):
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
def test_a_list_with_a_secret_from_the_first_revisions_goes_on_while_what_stays_keeps_its_place(refusal, after):
    assert refusal(lambda: [secret(A), secret(B), secret(C)], after) == ""


@pytest.mark.parametrize(
    ("after", "renamed"),
    [
        (lambda: [from_config(B), C], [("email-1", "email-e8f39b3e"), ("email-2", "email-50b313b4")]),
        (lambda: [C, from_config(B), A], [("email-0", "email-08168cd8"), ("email-2", "email-50b313b4")]),
        (lambda: [ON_CALL, A, B, C], [(f"email-{n}", f"email-{HASHES[who]}") for n, who in enumerate("abc")]),
    ],
)
def test_a_list_with_a_secret_from_the_first_revisions_is_not_edited_in_the_same_update(refusal, after, renamed):
    said = refusal(lambda: [secret(A), secret(B), secret(C)], after)

    for old, new in renamed:
        assert f"told-failures-{old} must keep its name, got told-failures-{new}" in said
    assert said.count("must keep its name") == len(renamed)
    assert "Deploy the list of subscriptions as it was before, then edit it." in said
    assert "@example.com" not in said


def test_the_place_in_the_list_counts_across_topics(refusal):
    """The first revisions counted all subscriptions: this one was critical-email-1."""
    said = refusal(lambda: [A, secret(ON_CALL)], lambda: [{**secret(ON_CALL), "name": "c63654f3"}])

    assert "told-critical-email-1 must keep its name, got told-critical-email-c63654f3" in said


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
def test_a_list_of_which_the_names_are_recorded_can_be_edited_in_any_way(refusal, after):
    names = [f"failures-email-{HASHES[who]}" for who in "abc"]

    assert refusal(lambda: [A, secret(B), C], after, names) == ""


@pytest.mark.parametrize(
    ("before", "name", "after", "new"),
    [
        (lambda: {**A, "name": "x"}, "failures-email-x", lambda: {**A, "name": "y"}, "failures-email-y"),
        (lambda: {**A, "name": "x"}, "failures-email-x", lambda: A, "failures-email-08168cd8"),
        (lambda: secret(A), "failures-email", lambda: A, "failures-email-08168cd8"),
        # SNS may take these for one.
        (
            lambda: A,
            "failures-email-08168cd8",
            lambda: {**A, "endpoint": "A@example.com"},
            "failures-email-d2b9f228",
        ),
    ],
)
def test_a_subscription_that_stays_is_not_renamed_later_either(refusal, before, name, after, new):
    said = refusal(lambda: [before()], lambda: [after()], [name])

    assert f"told-{name} must keep its name, got told-{new}" in said


def test_a_subscription_of_which_the_endpoint_is_not_known_yet_is_let_by(refusal):
    def after():
        return [{**A, "endpoint": Output.from_input(pulumi.output.Unknown()), "name": "x"}]

    assert refusal(lambda: [A], after, ["failures-email-08168cd8"]) == ""


def test_a_component_that_is_new_or_had_no_list_has_nothing_to_rename(run):
    async def ask(check, args):
        await check.refuse_renames(args)
        return "went on"

    def program():
        for number, inputs in enumerate((None, {}, {"subscriptions": None})):
            pulumi.export(str(number), ask(RenameCheck("told", [A]), hook_args(inputs)))

    assert run(program).outputs == {"0": "went on", "1": "went on", "2": "went on"}


@pytest.mark.parametrize(
    ("outputs", "former"),
    [
        (None, True),
        ({}, True),
        ({"subscription_names": []}, True),
        ({"subscription_names": ["failures-email-08168cd8"]}, False),
    ],
)
def test_names_are_recorded_at_once_where_none_can_be_left_from_before(run, outputs, former):
    """Otherwise a list whose last update failed at a bad entry could not be mended: nothing would be on record."""

    async def ask(check):
        said = [check.may_have_former_names]
        await check.refuse_renames(hook_args({"subscriptions": [A]}, outputs))
        said.append(check.may_have_former_names)
        check.note_creation(hook_args(None))
        return [*said, check.may_have_former_names]

    said = run(lambda: pulumi.export("said", ask(RenameCheck("told", [A])))).outputs["said"]

    assert said == [True, former, False]
