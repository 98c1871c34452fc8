"""Whether a condition restricts the caller, by AWS's documentation, whose page each table names.

PUBLIC: https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status
OPERATORS: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
SETS: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
KEYS: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
VARIABLES: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

import pytest

from policies.aws.iam import conditions
from policies.aws.iam.policy_documents import Statement, is_denied_to_outsiders, public_statements
from policies.model.values import UNKNOWN, Undecided

ACCOUNT = "111122223333"
ORGANIZATION = "o-a1b2c3d4e5"


def parsed(block):
    return Statement({"Effect": "Allow", "Condition": block}, 0).conditions


def like(key, *values):
    return {"StringLike": {key: list(values)}}


def equals(key, *values):
    return {"StringEquals": {key: list(values)}}


# PUBLIC: "fixed values (values that don't contain a wildcard or an IAM policy variable)" of these keys.
FIXED = [
    equals("aws:PrincipalOrgID", ORGANIZATION),
    equals("aws:PrincipalAccount", ACCOUNT),
    equals("aws:SourceAccount", ACCOUNT),
    equals("AWS:SourceOwner", ACCOUNT),
    equals("aws:SourceVpc", "vpc-91237329"),
    equals("aws:SourceVpce", "vpce-1a2b3c4d"),
    equals("aws:userid", "AIDAEXAMPLEEXAMPLE1"),
    equals("s3:DataAccessPointAccount", ACCOUNT),
    equals("kms:CallerAccount", ACCOUNT),
    {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:db8::/48"]}},
    {"ArnEquals": {"aws:SourceArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:news"}},
    # "this value can contain a wildcard for the access point name ... as long as the account ID is fixed"
    {"ArnLike": {"s3:DataAccessPointArn": f"arn:aws:s3:eu-west-1:{ACCOUNT}:accesspoint/*"}},
    {"ArnLike": {"aws:SourceArn": f"arn:aws:execute-api:*:{ACCOUNT}:*"}},
    {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}},
    {"ArnLike": {"aws:SourceArn": f"arn:aws:*:*:{ACCOUNT}:*"}},
    {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::uploads"}},
    {"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:uploads"}},
    {"ArnLike": {"aws:SourceArn": "arn:aws:apigateway:eu-west-1::/restapis/a1b2c3d4/*"}},
    # KEYS: a path "begins with the organization's id", and what is below it is that organization's.
    {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": f"{ORGANIZATION}/*"}},
    {"ForAnyValue:StringLike": {"aws:SourceOrgPaths": [f"{ORGANIZATION}/r-ab12/ou-ab12-11111111/*"]}},
    # https://aws.amazon.com/blogs/security/how-to-restrict-amazon-s3-bucket-access-to-a-specific-iam-role/
    like("aws:userId", "AROAEXAMPLEID:*", "AIDAEXAMPLEID", ACCOUNT),
    # VARIABLES: what the owner of the resource decides, and the characters themselves.
    equals("aws:PrincipalOrgID", "${aws:ResourceOrgID}"),
    equals("aws:PrincipalAccount", "${aws:ResourceAccount}"),
    # KEYS: names of keys are not case-sensitive.
    equals("AWS:PRINCIPALORGID", ORGANIZATION),
    # One of several is enough: all of a block have to hold.
    {**like("aws:PrincipalTag/team", "*"), **equals("aws:PrincipalAccount", ACCOUNT)},
    equals("aws:SourceAccount", ACCOUNT, "444455556666"),
    like("aws:PrincipalAccount", ACCOUNT),
    {"ForAnyValue:StringEquals": {"aws:PrincipalAccount": ACCOUNT}},
]
ANYBODY = [
    like("aws:PrincipalOrgID", "*"),
    like("aws:PrincipalOrgID", "o-*"),
    like("aws:PrincipalOrgID", ORGANIZATION, "o-*"),
    like("aws:PrincipalAccount", "1*"),
    like("aws:PrincipalAccount", "11112222333?"),
    like("aws:SourceAccount", "*"),
    like("aws:SourceVpc", "vpc-*"),
    like("aws:SourceVpce", "vpce-*"),
    like("aws:userid", "*:alice"),
    like("aws:userid", "AROA*"),
    like("aws:userid", "*"),
    like("kms:CallerAccount", "*"),
    {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-*/r-*/*"}},
    {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": f"{ORGANIZATION}*"}},
    {"ArnLike": {"aws:SourceArn": "*"}},
    {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}},
    {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::u*"}},
    {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::uploads-*"}},
    {"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:*"}},
    {"ArnLike": {"aws:SourceArn": "arn:aws:events:eu-west-1:*:rule/paid"}},
    {"ArnLike": {"aws:SourceArn": "arn:aws:events:eu-west-1:1111*:rule/paid"}},
    {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*"}},
    {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/Admin"}},
    {"ArnLike": {"s3:DataAccessPointArn": "arn:aws:s3:*:*:accesspoint/*"}},
    {"ArnLike": {"aws:SourceArn": "arn:aws:apigateway:eu-west-1::/restapis/*"}},
    # PUBLIC: "values broader than /8 for IPv4 and /32 for IPv6" are.
    {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
    {"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}},
    {"IpAddress": {"aws:SourceIp": [f"{first}.0.0.0/8" for first in range(256)]}},
    {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "::/0"]}},
    {"IpAddress": {"aws:SourceIp": "2000::/3"}},
    {"IpAddress": {"aws:SourceIp": "64.0.0.0/7"}},
    like("aws:SourceIp", "*"),
    # VARIABLES: the caller's own, so that the comparison is with itself.
    equals("aws:PrincipalOrgID", "${aws:PrincipalOrgID}"),
    equals("aws:PrincipalAccount", "${aws:PrincipalAccount}"),
    equals("aws:SourceVpce", "${aws:SourceVpce}"),
    equals("aws:SourceAccount", "${aws:PrincipalTag/account, '111122223333'}"),
    {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:${aws:SourceAccount}:*"}},
    # Keys that the caller chooses, or that are about the resource.
    equals("aws:username", "alice"),
    equals("sts:ExternalId", "word"),
    equals("aws:Referer", "https://example.com/"),
    equals("aws:UserAgent", "agent"),
    equals("aws:ResourceAccount", ACCOUNT),
    equals("aws:PrincipalTag/team", "shop"),
    equals("aws:RequestedRegion", "eu-west-1"),
    {"IpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}},
    {"Bool": {"aws:SecureTransport": "true"}},
    {"Bool": {"aws:PrincipalIsAWSService": "true"}},
    # OPERATORS: negated, these are everybody else's; a key that is there is anybody's.
    {"StringNotEquals": {"aws:PrincipalAccount": "999999999999"}},
    {"ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}},
    {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
    {"Null": {"aws:PrincipalOrgID": "false"}},
    {"Null": {"aws:PrincipalOrgID": "true"}},
    # OPERATORS: "if the key is not present, evaluate the condition element as true".
    {"StringEqualsIfExists": {"aws:PrincipalOrgID": ORGANIZATION}},
    {"IpAddressIfExists": {"aws:SourceIp": "203.0.113.0/24"}},
    {"ArnLikeIfExists": {"aws:SourceArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:news"}},
    # SETS: ForAllValues "returns true if there are no context keys in the request".
    {"ForAllValues:StringEquals": {"aws:PrincipalOrgID": ORGANIZATION}},
    {"ForAllValues:StringLike": {"aws:PrincipalOrgPaths": f"{ORGANIZATION}/*"}},
    {},
    equals("aws:PrincipalOrgID"),
]


@pytest.mark.parametrize("block", FIXED, ids=str)
def test_a_fixed_value_restricts_the_caller(block):
    assert conditions.names_known_caller(parsed(block))


@pytest.mark.parametrize("block", ANYBODY, ids=str)
def test_a_wildcard_a_variable_or_a_key_of_the_callers_choice_does_not_restrict_the_caller(block):
    assert not conditions.names_known_caller(parsed(block))


@pytest.mark.parametrize(
    "block",
    [
        # SETS: "To prevent this, include the Null condition operator ... to check if the key exists".
        {"ForAllValues:StringEquals": {"aws:PrincipalOrgID": ORGANIZATION}, "Null": {"aws:PrincipalOrgID": "false"}},
        {"StringEqualsIfExists": {"aws:PrincipalOrgID": ORGANIZATION}, "Null": {"aws:principalorgid": False}},
        {"ForAllValues:StringEquals": {"aws:SourceVpce": "vpce-1"}, "StringLike": {"aws:SourceVpce": "*"}},
    ],
    ids=str,
)
def test_a_condition_that_is_true_without_its_key_counts_if_another_requires_the_key(block):
    assert conditions.names_known_caller(parsed(block))


def test_an_unknown_value_is_undecided_unless_another_condition_decides():
    unknown = {"StringEquals": {"aws:SourceAccount": UNKNOWN}}
    with pytest.raises(Undecided):
        conditions.names_known_caller(parsed(unknown))
    assert conditions.names_known_caller(
        parsed({**unknown, "ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:*"}})
    )


@pytest.mark.parametrize(
    ("block", "names"),
    [
        (equals("aws:SourceAccount", ACCOUNT), True),
        ({"ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:eu-west-1:{ACCOUNT}:*"}}, True),
        (equals("sts:ExternalId", "word"), True),
        ({"ArnLike": {"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:*:*:log-group:*"}}, False),
        ({"StringNotEquals": {"sts:ExternalId": "word"}}, False),
        (equals("aws:PrincipalServiceName", "sns.amazonaws.com"), False),
        ({"Bool": {"aws:SecureTransport": "true"}}, False),
    ],
    ids=str,
)
def test_a_condition_restricts_the_source_of_a_service(block, names):
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    assert conditions.names_source(parsed(block)) is names


def test_a_key_is_restricted_only_by_conditions_on_it():
    network = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
    assert not conditions.names_key(parsed(network), "aws:sourceaccount")
    assert conditions.names_key(parsed({**network, **equals("aws:SourceAccount", ACCOUNT)}), "aws:sourceaccount")


@pytest.mark.parametrize(
    ("block", "value"),
    [
        (equals("aws:PrincipalOrgID", "o-*"), "o-*"),
        (equals("aws:SourceArn", "arn:aws:s3:::uploads", "arn:aws:s3:::u?"), "arn:aws:s3:::u?"),
        ({"StringEqualsIgnoreCase": {"aws:SourceVpce": "vpce-*"}}, "vpce-*"),
        (like("aws:PrincipalOrgID", "o-*"), None),
        ({"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::u*"}}, None),
        (equals("aws:PrincipalOrgID", "${*}"), None),
        (equals("s3:prefix", "home/*"), None),
        ({"StringNotEquals": {"aws:PrincipalOrgID": "o-*"}}, None),
    ],
    ids=str,
)
def test_string_equals_treats_a_wildcard_literally(block, value):
    # OPERATORS: only StringLike "can include multi-character match wildcards"; ArnEquals and ArnLike are the same.
    assert next((literal for _, literal in conditions.literal_wildcards(parsed(block))), None) == value


# --- a Deny ----------------------------------------------------------------------------------------------------------


def deny(condition=None, actions="s3:*", resources="*", **more):
    statement = {"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": resources, **more}
    return Statement({**statement, "Condition": condition} if condition else statement, 1)


def allow(actions="s3:GetObject", resources="arn:aws:s3:::b/*", **more):
    return Statement({"Effect": "Allow", "Principal": "*", "Action": actions, "Resource": resources, **more}, 0)


OUTSIDERS = {"StringNotEquals": {"aws:PrincipalOrgID": ORGANIZATION}}


@pytest.mark.parametrize(
    "denying",
    [
        deny(OUTSIDERS),
        deny({"StringNotEqualsIfExists": {"aws:PrincipalOrgID": ORGANIZATION}}),
        deny({"StringNotEquals": {"aws:PrincipalOrgID": ORGANIZATION, "aws:SourceVpce": "vpce-1"}}),
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_data-perimeters.html
        deny({**OUTSIDERS, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}),
        deny({"ForAllValues:StringNotLike": {"aws:PrincipalOrgPaths": f"{ORGANIZATION}/*"}}),
        deny({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
        deny({"ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}}),
        deny(OUTSIDERS, "s3:Get*", "arn:aws:s3:::b/*"),
        deny(OUTSIDERS, ["s3:Put*", "s3:GetObject"], ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]),
        deny(OUTSIDERS, "*", NotResource="arn:aws:s3:::c/*", Resource=None),
        deny(OUTSIDERS, NotAction="s3:List*", Action=None),
        deny(),
        deny(NotPrincipal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, Principal=None),
    ],
    ids=lambda statement: str(statement.raw),
)
def test_a_deny_of_all_others_restricts_access(denying):
    assert is_denied_to_outsiders(allow(), [allow(), denying])
    assert list(public_statements([allow(), denying])) == []


@pytest.mark.parametrize(
    "denying",
    [
        deny(OUTSIDERS, "s3:PutObject"),
        deny(OUTSIDERS, resources="arn:aws:s3:::b"),
        deny(OUTSIDERS, resources="arn:aws:s3:::b/private/*"),
        deny(OUTSIDERS, NotResource="arn:aws:s3:::b/public/*", Resource=None),
        deny(OUTSIDERS, NotAction="s3:Get*", Action=None),
        deny({"StringNotLike": {"aws:PrincipalOrgID": "o-*"}}),
        deny({"ForAnyValue:StringNotLike": {"aws:PrincipalOrgPaths": f"{ORGANIZATION}/*"}}),
        deny({"StringEquals": {"aws:PrincipalOrgID": ORGANIZATION}}),
        deny({"StringNotEquals": {"aws:PrincipalOrgID": "${aws:PrincipalOrgID}"}}),
        deny({"NotIpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}}),
        deny({**OUTSIDERS, "Bool": {"aws:SecureTransport": "false"}}),
        deny({"Bool": {"aws:SecureTransport": "false"}}),
        deny({"Null": {"aws:PrincipalOrgID": "true"}}),
        deny({"Bool": {"aws:PrincipalIsAWSService": "false"}}),
        deny({**OUTSIDERS, "Bool": {"aws:PrincipalIsAWSService": "true"}}),
        deny(OUTSIDERS, Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
    ],
    ids=lambda statement: str(statement.raw),
)
def test_a_deny_of_less_does_not_restrict_access(denying):
    assert not is_denied_to_outsiders(allow(), [allow(), denying])
    assert [statement.index for statement in public_statements([allow(), denying])] == [0]


def test_several_denies_together_cover_an_allow():
    both = allow(["s3:GetObject", "s3:PutObject"])
    halves = [deny(OUTSIDERS, "s3:GetObject"), deny(OUTSIDERS, "s3:PutObject")]

    assert is_denied_to_outsiders(both, halves)
    assert not is_denied_to_outsiders(both, halves[:1])
    assert not is_denied_to_outsiders(allow("s3:*"), halves)


def test_a_policy_variable_leaves_a_resource_undecided():
    # VARIABLES: the value is known at the request only.
    arn = "arn:aws:s3:::b/alice/x"
    with pytest.raises(Undecided):
        conditions.covers_resource("arn:aws:s3:::b/${aws:username}/*", arn)
    assert not conditions.covers_resource("arn:aws:s3:::c/${aws:username}/*", arn)
    assert conditions.covers_resource("arn:aws:s3:::b/*", arn)
