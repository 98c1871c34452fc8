"""Only notifications: rules for failed rotations, and a topic with its subscribers."""

import pulumi
from rotation_guard.components.events.rotation_events import RotationEvents
from rotation_guard.components.notifications.notifications import Notifications

notifications = Notifications(
    "rotation-failures",
    {"subscriptions": [{"topic": "failures", "protocol": "email", "endpoint": "platform-team@example.com"}]},
)
events = RotationEvents("rotation-failures-events", {"failures_topic_arn": notifications.failures_topic_arn})
pulumi.export("failures_topic_arn", notifications.failures_topic_arn)
pulumi.export("dead_letters_url", events.dead_letters_url)
