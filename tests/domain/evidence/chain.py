"""A chain in memory: rows and head as they are stored, in DynamoDB's JSON, to be tampered with."""

import copy
from datetime import UTC, datetime, timedelta

from rotation_guard.domain.evidence.links import (
    HEAD_PREFIX,
    LINK,
    Head,
    Link,
    MalformedLink,
    add_link,
    compute_hash,
)
from rotation_guard.domain.evidence.verification import ChainRows, verify_chain

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"
START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = 86_400


def seconds(days):
    return int((START + timedelta(days=days)).timestamp())


def iso(days):
    return (START + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Chain:
    """Rows by sort key, in the order in which they were recorded, and the head."""

    def __init__(self, arn=ARN):
        self.arn, self.rows, self.head = arn, {}, None

    def append(self, day, kept_days, event_day=None):
        """Record an event on this day, which happened on another if it is late; None keeps its row for ever."""
        happened = day if event_day is None else event_day
        key = f"{iso(happened)}#event-{len(self.rows) + 1}"
        content = {
            "secret_arn": {"S": self.arn},
            "recorded": {"S": key},
            "recorded_at": {"S": iso(day)},
            "full_event": {"S": f'{{"number": {len(self.rows) + 1}}}'},
        }
        if kept_days is not None:
            content["expires_at"] = {"N": str(seconds(day + kept_days))}
        head = Head.from_item(self.head) if self.head else None
        link, new_head = add_link(content, head, iso(day))
        self.rows[key] = {**content, LINK: link.to_value()}
        self.head = {
            "secret_arn": {"S": f"{HEAD_PREFIX}{self.arn}"},
            "recorded": {"S": "head"},
            **new_head.to_item(self.arn),
        }
        return key

    def key(self, number):
        """The sort key of the row with this number."""
        return next(key for key, row in self.rows.items() if row[LINK]["M"]["sequence"]["N"] == str(number))

    def remove(self, *numbers):
        for key in [self.key(number) for number in numbers]:
            del self.rows[key]

    def expire(self, day):
        """Delete the rows that have expired by this day, as DynamoDB does."""
        for key, row in list(self.rows.items()):
            if int(row.get("expires_at", {"N": "9" * 12})["N"]) <= seconds(day):
                del self.rows[key]

    def copy(self):
        return copy.deepcopy(self)

    def verify(self, day, **options):
        rows = ChainRows()
        for key, row in self.rows.items():
            content = {name: value for name, value in row.items() if name != LINK}
            rows.add(key, content, row.get(LINK), row.get("recorded_at", {}).get("S", ""))
        try:
            head = Head.from_item(self.head) if self.head else None
        except MalformedLink:
            head = None
        return verify_chain(rows, head, seconds(day), **options)

    def first(self, day, **options):
        """What is named: kind, number and sort key; None if the chain is intact."""
        finding = self.verify(day, **options).first
        return finding and (str(finding.kind), finding.sequence, finding.row)


def rehash(row):
    """Compute the hash of a row anew, as somebody who knows how it is computed would."""
    content = {name: value for name, value in row.items() if name != LINK}
    row[LINK]["M"]["hash"] = {"S": compute_hash(content, row[LINK])}
    return Link.from_value(row[LINK])


def build(count=6, kept_days=400, arn=ARN):
    """A chain with a row a day, whose third event is late: it happened before the first one."""
    chain = Chain(arn)
    for number in range(count):
        chain.append(number, kept_days, event_day=-5 if number == 2 else None)
    return chain
