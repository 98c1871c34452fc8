"""Scans: the audit's verdicts for the secrets of a file, or of accounts and Regions, each a part of the report."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from rotation_guard.domain.audit.audit_settings import AuditSettings
from rotation_guard.domain.audit.secret_rows import from_finding
from rotation_guard.domain.audit.secret_totals import tally_rows
from rotation_guard.domain.audit.verdicts import judge
from rotation_guard.domain.secret import ListedSecret

from .account import Account, DatedSecret
from .aws import AwsSession
from .errors import CommandError, ListingDenied, Unreachable
from .identity import Identity, begin_identity
from .parsing import utc_now
from .secret_answer import Part, Reading
from .secret_listing import SecretListing, read_listings


@dataclass(frozen=True)
class Scan:
    """One account and Region, or one part of a file."""

    reading: Reading
    read_at: datetime
    at: datetime
    """The time that its secrets were judged as of."""


@dataclass(frozen=True)
class Scanning:
    """How secrets are judged."""

    settings: AuditSettings
    managed_tag: str | None
    """As it was given."""
    tag: tuple[str, str] | None
    """The same, read: only secrets with this tag are judged."""
    fixed_time: datetime | None
    """The time to judge as of; None for that of reading, or of the collection."""

    def file(self, name: str) -> list[Scan]:
        """The parts of a file. Raises UsageError."""
        title = "standard input" if name == "-" else name
        listings = read_listings(name)
        return [self._judge_listing(listing, name, title, number) for number, listing in enumerate(listings)]

    def accounts(self, profiles: Sequence[str], regions: Sequence[str]) -> list[Scan]:
        """Every profile in every Region. Raises CommandError if none can be read."""
        scans: list[Scan] = []
        errors: list[CommandError] = []
        for number, session in enumerate(list_sessions(profiles, regions)):
            try:
                scans.append(self._judge_account(session, number))
            except CommandError as error:
                errors.append(error)
                scans.append(_unreadable(session, error))
        if len(errors) < len(scans):
            return scans
        if len(errors) == 1:
            raise errors[0]
        kind = ListingDenied if all(isinstance(error, ListingDenied) for error in errors) else Unreachable
        raise kind(" ".join(str(scan.reading.part.unreadable[0]) for scan in scans))

    def _judge_listing(self, listing: SecretListing, name: str, title: str, number: int) -> Scan:
        collection, read_at = listing.collection, utc_now()
        at = self.fixed_time or (collection.collected_at if collection else read_at)
        source: dict[str, Any] = {"kind": "file", "description": f"The list of secrets in {title}", "name": name}
        identity, warnings = _read_place(listing.secrets), []
        if collection is not None:
            identity = collection.identity
            source["description"] = (
                f"The collection in {title} of account {identity.account_id}, Region {identity.region}, of "
                f"{collection.collected_at:%Y-%m-%d %H:%M:%S} UTC"
            )
            source |= {"kind": "collection", "collected_with": collection.product_version}
        if listing.is_truncated:
            warnings.append(f"The list in {title} has a NextToken: AWS had more secrets, which it does not contain.")
        return self._build_scan(listing.secrets, source, identity, warnings, read_at, at, number)

    def _judge_account(self, session: AwsSession, number: int) -> Scan:
        reading_identity = begin_identity(session)
        account = Account(session)
        listed = [secret for secret in account.secrets() if self._is_included(secret)]
        secrets = list(account.with_dates(listed))
        known = reading_identity.result()
        account_id = known.account_id or _read_account(listed)
        # After reading: a value that was created meanwhile is new, not from the future.
        read_at = utc_now()
        identity = replace(known, account_id=account_id, region=account.region)
        place = f"The account {account_id}" if account_id else "The account"
        source = {
            "kind": "account",
            "description": f"{place} in {account.region}",
            "region": account.region,
        }
        return self._build_scan(secrets, source, identity, [], read_at, self.fixed_time or read_at, number)

    def _build_scan(
        self,
        secrets: Iterable[DatedSecret],
        source: dict[str, Any],
        identity: Identity,
        warnings: list[str],
        read_at: datetime,
        at: datetime,
        number: int,
    ) -> Scan:
        rows = [
            from_finding(judge(secret, dates, self.settings, at), number)
            for secret, dates in secrets
            if self._is_included(secret)
        ]
        part = Part(
            source=source,
            identity=identity,
            settings=self.settings.to_json(self.managed_tag),
            tally=tally_rows(rows),
            has_runs=False,
            warnings=warnings,
        )
        return Scan(Reading(part, rows), read_at, at)

    def _is_included(self, secret: ListedSecret) -> bool:
        return self.tag is None or secret.carries(*self.tag)


def list_sessions(profiles: Sequence[str], regions: Sequence[str]) -> list[AwsSession]:
    """Every one of these profiles in every one of these Regions, once; the defaults of the AWS CLI without any."""
    chosen = itertools.product(dict.fromkeys(profiles or (None,)), dict.fromkeys(regions or (None,)))
    return [AwsSession(profile, region) for profile, region in chosen]


def _unreadable(session: AwsSession, error: CommandError) -> Scan:
    """The part of an account that cannot be read, which names it."""
    now = utc_now()
    named = [f"profile {session.profile}"] if session.profile else []
    named += [f"Region {session.region}"] if session.region else []
    description = ", ".join(named) or "The account"
    source = {"kind": "account", "description": description, "region": session.region}
    part = Part(
        source,
        Identity(region=session.region),
        has_runs=False,
        unreadable=[f"{description} cannot be read: {error}"],
    )
    return Scan(Reading(part), now, now)


def _read_place(secrets: Sequence[DatedSecret]) -> Identity:
    """The account and the Region that all of these secrets are in, by their ARNs; unknown if there are several."""
    places = {tuple(secret.arn.split(":")[3:5]) for secret, _ in secrets if secret.arn.count(":") > 4}
    region, account = next(iter(places)) if len(places) == 1 else (None, None)
    return Identity(account_id=account, region=region)


def _read_account(listed: Iterable[ListedSecret]) -> str | None:
    return next((secret.arn.split(":")[4] for secret in listed if secret.arn.count(":") > 4), None)
