"""Who is told: the topics, those who may publish to them, and their subscriptions."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NotRequired, TypedDict

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_aws import lambda_, sns, sqs

from .. import arns, iam_policies
from ..placement import WITH_ARN, require_same_place
from ..queue import queue
from .filter_policies import ATTRIBUTES, BODY
from .subscription_names import NAMES_OUTPUT, RenameCheck, list_aliases, name_subscription

TOPICS = ("failures", "remediation", "critical")
ALARMS = "alarms"
"""The topic of alarms where the others are encrypted with a customer key."""
WITHOUT_DEAD_LETTERS = ("email", "email-json", "sms")
"""Protocols for which dead letters of a subscription serve nobody: there is nothing to deliver again."""


READ_BY_PROGRAMS = ("http", "https", "lambda", "sqs", "firehose")
"""Protocols that get notices as JSON."""


class SubscriptionArgs(TypedDict):
    """One subscriber of one topic."""

    topic: str
    """`failures`, `remediation` or `critical`."""
    protocol: str
    """What SNS speaks to the endpoint: http, https, email, email-json, sms, sqs, lambda, application or firehose."""
    endpoint: pulumi.Input[str]
    """The address, number, URL or ARN."""
    name: NotRequired[str]
    """What tells it from the others of its topic and protocol, in its logical name: needed where two of them have
    endpoints that are Outputs, and good where a hash of the endpoint would say too much; that hash unless given."""
    raw_message_delivery: NotRequired[bool]
    """Delivers the message alone, without SNS's envelope: for sqs, http, https and firehose."""
    filter_policy: NotRequired[pulumi.Input[Mapping[str, Any]]]
    """Delivers only messages that match, as SNS writes filter policies: by the body on `failures`, and where programs
    read it; by the attributes `severity`, `outcome`, `owner` and `secret` where people read text."""
    subscription_role_arn: NotRequired[pulumi.Input[str]]
    """Role that SNS assumes to write to a firehose stream."""


class NotificationsArgs(TypedDict):
    """Who is told, and with which key."""

    subscriptions: NotRequired[list[SubscriptionArgs]]
    """Subscribers; none unless given."""
    dead_letter_retention_days: NotRequired[int]
    """Days that undeliverable notices are kept; 14 unless given."""
    kms_key_arn: NotRequired[pulumi.Input[str]]
    """Customer key for the topics; its policy must let EventBridge and SNS use it. Unencrypted unless given: with
    the key that AWS manages for SNS, EventBridge cannot publish."""
    tags: NotRequired[Mapping[str, str]]
    """Tags for everything that can carry them."""


def choose_filter_scope(topic: str, protocol: str) -> str:
    """What the filter of a subscription reads.

    EventBridge sets no message attributes, so that on `failures` the body is all there is. The notices of the other
    topics have the same fields in both; what people get of them is no JSON, and no filter on the body would match it
    (https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering.html).
    """
    is_json = topic == "failures" or protocol in READ_BY_PROGRAMS
    return BODY if is_json else ATTRIBUTES


class DeadLetters(NamedTuple):
    """A queue that topics can reach."""

    arn: Output[str]
    url: Output[str]
    name: Output[str]
    admission: sqs.QueuePolicy
    """What lets them in: to be there before the first message."""


DEFAULTS: NotificationsArgs = {}


class Notifications(pulumi.ComponentResource):
    """Three topics and their subscribers: what failed, what was done, and what needs someone now.

    With a customer key there is a fourth one, unencrypted, for alarms: all subscribers of `critical` hear it too.
    """

    failures_topic_arn: Output[str]
    """Every failed rotation, as the whole event in JSON."""
    remediation_topic_arn: Output[str]
    """What remediation found and did, readable."""
    critical_topic_arn: Output[str]
    """What needs someone now."""
    alarms_topic_arn: Output[str]
    """Alarms about the product itself: the critical topic, or with a customer key an unencrypted topic with the same
    subscribers, so that a key policy which mutes topics and queues cannot mute the alarms about that as well."""
    dead_letters_url: Output[str] | None
    """Notices that could not be delivered; None where no subscriber has dead letters."""

    def __init__(self, name: str, args: NotificationsArgs = DEFAULTS, opts: ResourceOptions | None = None) -> None:
        args = args or {}
        subscriptions = args.get("subscriptions", [])
        check = RenameCheck(name, subscriptions)
        super().__init__("rotation-guard:index:Notifications", name, {**args}, _checked(check, subscriptions, opts))
        child = ResourceOptions(parent=self)
        tags = args.get("tags")
        key = args.get("kms_key_arn")

        topics = {topic: sns.Topic(f"{name}-{topic}", kms_master_key_id=key, tags=tags, opts=child) for topic in TOPICS}
        if key is not None:
            # What an alarm says is no secret: names of alarms and metrics.
            topics[ALARMS] = sns.Topic(f"{name}-{ALARMS}", tags=tags, opts=child)
        for topic, resource in topics.items():
            sns.TopicPolicy(f"{name}-{topic}", arn=resource.arn, policy=_PUBLISHERS[topic](resource.arn), opts=child)

        # A queue that serves nobody would be one that nobody looks into.
        dead_letters = None
        if any(subscription["protocol"] not in WITHOUT_DEAD_LETTERS for subscription in subscriptions):
            dead_letters = self._dead_letters(name, args, [topic.arn for topic in topics.values()])
        subscribed = [
            self._subscribe(name, subscription, position, topics[subscription["topic"]], dead_letters)
            for position, subscription in enumerate(subscriptions)
        ]
        if key is not None:
            for position, subscription in enumerate(subscriptions):
                if subscription["topic"] == "critical":
                    self._subscribe(name, _copy_for_alarms(subscription), position, topics[ALARMS], dead_letters)

        self.failures_topic_arn = topics["failures"].arn
        self.remediation_topic_arn = topics["remediation"].arn
        self.critical_topic_arn = topics["critical"].arn
        self.alarms_topic_arn = topics.get(ALARMS, topics["critical"]).arn
        self.topic_names = {topic: resource.name for topic, resource in topics.items()}
        self.dead_letters_url = dead_letters.url if dead_letters else None
        self.dead_letters_name = dead_letters.name if dead_letters else None
        self.register_outputs(
            {
                "failures_topic_arn": self.failures_topic_arn,
                "remediation_topic_arn": self.remediation_topic_arn,
                "critical_topic_arn": self.critical_topic_arn,
                "alarms_topic_arn": self.alarms_topic_arn,
                "dead_letters_url": self.dead_letters_url,
                NAMES_OUTPUT: self._record_names(check, subscriptions, subscribed),
            }
        )

    def _record_names(
        self,
        check: RenameCheck,
        subscriptions: list[SubscriptionArgs],
        subscribed: list[sns.TopicSubscription],
    ) -> Output[list[str]]:
        """The names of the subscriptions, the first time only once all have them.

        An update that fails before then does not claim them for what the state may still hold under former names.
        """
        renamed = self.urn.apply(
            lambda _: Output.all(*(one.urn for one in subscribed)) if check.may_have_former_names else None
        )
        return renamed.apply(lambda _: [name_subscription(subscription) for subscription in subscriptions])

    def _dead_letters(self, name: str, args: NotificationsArgs, topic_arns: list[Output[str]]) -> DeadLetters:
        """The queue of notices that could not be delivered."""
        dead_letters = queue(
            f"{name}-dead-letters",
            retention_days=args.get("dead_letter_retention_days", 14),
            kms_key_arn=args.get("kms_key_arn"),
            tags=args.get("tags"),
            opts=ResourceOptions(parent=self),
        )
        policy = Output.all(dead_letters.arn, *topic_arns).apply(
            lambda known: iam_policies.fed_by_topics(known[0], known[1:])
        )
        return DeadLetters(
            dead_letters.arn,
            dead_letters.url,
            dead_letters.name,
            sqs.QueuePolicy(
                f"{name}-dead-letters",
                queue_url=dead_letters.url,
                policy=policy,
                opts=ResourceOptions(parent=self),
            ),
        )

    def _subscribe(
        self,
        name: str,
        subscription: SubscriptionArgs,
        position: int,
        topic: sns.Topic,
        dead_letters: DeadLetters | None,
    ) -> sns.TopicSubscription:
        protocol, endpoint = subscription["protocol"], subscription["endpoint"]
        child_name = f"{name}-{name_subscription(subscription)}"
        topic_arn = _require_same_place(topic.arn, endpoint, child_name) if protocol in WITH_ARN else topic.arn
        aliases = list_aliases(name, subscription, position)
        if protocol == "lambda":
            lambda_.Permission(
                child_name,
                action="lambda:InvokeFunction",
                # Apart, as the provider reads them: an ARN with both would be replaced by every update.
                function=_map(endpoint, lambda arn: ":".join(arn.split(":")[:7])),
                qualifier=_map(endpoint, lambda arn: _read_qualifier(arn, child_name)),
                principal="sns.amazonaws.com",
                source_arn=topic_arn,
                opts=ResourceOptions(parent=self, aliases=aliases),
            )
        filter_policy = subscription.get("filter_policy")
        redrive = dead_letters if protocol not in WITHOUT_DEAD_LETTERS else None
        return sns.TopicSubscription(
            child_name,
            topic=topic_arn,
            protocol=protocol,
            endpoint=endpoint,
            raw_message_delivery=subscription.get("raw_message_delivery"),
            filter_policy=None if filter_policy is None else _write_policy(filter_policy),
            filter_policy_scope=None
            if filter_policy is None
            else choose_filter_scope(subscription["topic"], subscription["protocol"]),
            subscription_role_arn=subscription.get("subscription_role_arn"),
            redrive_policy=redrive.arn.apply(lambda arn: json.dumps({"deadLetterTargetArn": arn})) if redrive else None,
            opts=ResourceOptions(
                parent=self,
                aliases=aliases,
                # A replacement that is created first is the old subscription itself, which the delete then ends.
                delete_before_replace=True,
                depends_on=[redrive.admission] if redrive else None,
            ),
        )


def _checked(
    check: RenameCheck, subscriptions: list[SubscriptionArgs], opts: ResourceOptions | None
) -> ResourceOptions | None:
    """The caller's options, with the check before an update."""
    if not subscriptions:
        return opts
    return ResourceOptions.merge(opts, ResourceOptions(hooks=check.hooks()))


def _map(value: pulumi.Input[str], change: Callable[[str], Any]) -> Any:
    """What becomes of a text, now or once it is known."""
    return value.apply(change) if isinstance(value, Output) else change(str(value))


def _read_qualifier(arn: str, name: str) -> str | None:
    """The alias or version in a function's ARN; raises RunError for $LATEST, to which Lambda admits nobody.

    (https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html)
    """
    qualifier = arn.split(":", 7)[7] if arn.count(":") > 6 else None
    if qualifier == "$LATEST":
        raise pulumi.RunError(
            f"the endpoint of {name} must be a function, or an alias or a version of one but $LATEST, to which Lambda "
            "admits nobody, got $LATEST"
        )
    return qualifier


def _require_same_place(topic_arn: Output[str], endpoint: pulumi.Input[str], name: str) -> Output[str]:
    """The topic's ARN, which fails the deployment before it subscribes an endpoint that is elsewhere."""
    if not isinstance(endpoint, Output):
        return topic_arn.apply(lambda topic: require_same_place(topic, str(endpoint), name))
    both = Output.all(topic_arn, endpoint)
    return Output.unsecret(both.apply(lambda known: require_same_place(*known, name)))


def _copy_for_alarms(subscription: SubscriptionArgs) -> SubscriptionArgs:
    """The same subscriber for alarms; without its filter, which is about notices: no alarm would pass it."""
    heard: SubscriptionArgs = {**subscription, "topic": ALARMS}
    heard.pop("filter_policy", None)
    return heard


def _write_policy(filter_policy: pulumi.Input[Mapping[str, Any]]) -> pulumi.Input[str]:
    if isinstance(filter_policy, Output):
        return filter_policy.apply(lambda policy: json.dumps(policy, sort_keys=True))
    return json.dumps(filter_policy, sort_keys=True)


def _root(arn: pulumi.Input[str]) -> Output[str]:
    """The account that this ARN lies in, as a principal."""
    partition = arns.part(arn, arns.ArnPart.PARTITION)
    return Output.concat("arn:", partition, ":iam::", arns.part(arn, arns.ArnPart.ACCOUNT), ":root")


def _by_roles(arn: Output[str]) -> Output[str]:
    return Output.all(arn, _root(arn)).apply(lambda parts: iam_policies.published_by_roles(*parts))


def _by_roles_and_alarms(arn: Output[str]) -> Output[str]:
    account = arns.part(arn, arns.ArnPart.ACCOUNT)
    return Output.all(arn, _root(arn), account).apply(lambda parts: iam_policies.published_by_roles_and_alarms(*parts))


def _by_alarms(arn: Output[str]) -> Output[str]:
    return Output.all(arn, arns.part(arn, arns.ArnPart.ACCOUNT)).apply(
        lambda parts: iam_policies.published_by_alarms(*parts)
    )


_PUBLISHERS: Mapping[str, Callable[[Output[str]], Output[str]]] = {
    "failures": lambda arn: arn.apply(iam_policies.published_by_events),
    "remediation": _by_roles,
    "critical": _by_roles_and_alarms,
    ALARMS: _by_alarms,
}
"""Who may publish to each topic."""
