"""Detects credentials by the name of a variable and by the form of its value."""

import base64
import binascii
import re

_PREFIXED = (
    # https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github
    r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{36,}",
    # https://docs.gitlab.com/security/tokens/
    r"gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct|wt)-[\w.-]{20,}",
    # https://docs.slack.dev/authentication/tokens
    r"xox[abceoprs]-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{10,}",
    r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Z0-9]{8,}/[A-Za-z0-9]+/[A-Za-z0-9]{20,}",
    # https://docs.stripe.com/keys
    r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{24,}",
    # https://docs.npmjs.com/about-access-tokens and https://pypi.org/help/#apitoken
    r"npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{40,}",
    # https://cloud.google.com/docs/authentication/api-keys and OAuth client secrets of the same console
    r"AIza[\w-]{35}|GOCSPX-[\w-]{28}|ya29\.[\w-]{20,}",
    # https://learn.microsoft.com/en-us/purview/sit-defn-azure-ad-client-secret
    r"[\w.~-]{3}\dQ~[\w.~-]{31,34}",
    # https://www.pulumi.com/docs/administration/access-identity/access-tokens/, Vault, Docker, DigitalOcean, SendGrid
    r"pul-[0-9a-f]{40}|hv[sb]\.[\w-]{24,}|dckr_(?:pat|oat)_[\w-]{20,}|do[opr]_v1_[0-9a-f]{64}"
    r"|SG\.[\w-]{22}\.[\w-]{43}",
    # A JSON Web Token that is signed (RFC 7519), and OpenAI's, Anthropic's and Hugging Face's keys.
    r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}|sk-(?:proj|ant|svcacct)-[\w-]{20,}|hf_[A-Za-z0-9]{30,}",
)
_KINDS = {
    "an AWS access key": re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])"),
    "a private key": re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    "a URL with a password": re.compile(
        r"(?<![a-zA-Z0-9+.-])[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*:(?![<{*\[]|\$[{(])([^\s/@]+)@[^\s/@]+"
    ),
    "a connection string with a password": re.compile(
        r"(?:^|[;?&\s])(?:password|pwd|accountkey|sharedaccesskey)=(?![<{*\[;&\s]|\$[{(])([^;&\s]+)", re.IGNORECASE
    ),
    # https://learn.microsoft.com/en-us/azure/storage/common/storage-sas-overview
    "a URL with a signature": re.compile(
        r"[?&]sv=[^\s]*[?&]sig=[A-Za-z0-9%+/]{40,}|[?&]sig=[A-Za-z0-9%+/]{40,}[^\s]*&sv="
    ),
    "a token": re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_PREFIXED)})(?![A-Za-z0-9])"),
}
_PASSWORD_ENDINGS = (("pass",), ("pwd",), ("pw",), ("passphrase",), ("password",), ("passwd",))
_ENDINGS = (
    *_PASSWORD_ENDINGS,
    ("secret",),
    ("token",),
    ("pat",),
    ("credential",),
    ("credentials",),
    ("apikey",),
    ("api", "key"),
    ("access", "key"),
    ("account", "key"),
    ("auth", "key"),
    ("secret", "key"),
    ("secret", "key", "base"),
    ("private", "key"),
    ("shared", "key"),
    ("subscription", "key"),
    ("signing", "key"),
    ("encryption", "key"),
    ("master", "key"),
    ("license", "key"),
    ("access", "key", "id"),
)
"""The last words of the name of a credential: API_KEY, but not SECRET_ARN."""
_JOINED = re.compile(
    r"password|passwd|(?:access|api|private|secret|signing)key"
    r"|(?:access|api|app|auth|bearer|client|consumer|refresh|session)(?:secret|token)"
)
"""The same at the end of a single word, such as PGPASSWORD or `clientsecret`; not PASSWORD_LENGTH."""
_QUALIFIERS = frozenset({"value", "plaintext", "base64", "b64", "dev", "test", "staging", "prod", "production", "live"})
"""Last words that are ignored: DB_PASSWORD_PROD is a credential."""
_KEYS_OF_KMS = (("signing", "key"), ("encryption", "key"), ("master", "key"))
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_REFERENCE = re.compile(
    r"arn:.*|/.*|(?i:https?://[^:@]*|\{\{resolve:.*|(?:ssm|secretsmanager|vault|kms|file|op)[:+].*)"
    r"|[a-z][a-z0-9_.-]*(?:/[a-z0-9_.-]+)+|[A-Za-z_.-]+(?:/[A-Za-z_.-]+)+|[\w.-]+\.(?:json|key|p12|pem|pfx|txt)",
    re.DOTALL,
)
"""A reference to a credential: an ARN, a path, the name of a secret or parameter, a file."""
_PLACEHOLDER = re.compile(
    r"[$#]\{.*\}|\$\(.*\)|(?-i:\$[A-Z_][A-Z0-9_]*)|<.*>|\[[\w -]*\]|\{\{.*\}\}|\{\w+\}|%\w+%|%[sdv]|%\(\w+\)s"
    r"|@@?\w+@@?|__\w+__|[*.x_-]+|0+"
    r"|(?:change|replace|fill|insert|enter|add|put)[ _-]?(?:me|it|this|in|your|the|here|with)\b.*"
    r"|(?:todo|tbd|fixme|placeholder|dummy|redacted|masked|example|sample)\b.*|to be .*|hidden|secure|unused"
    r"|(?:your|my[ _-]own|some)[ _-].*|.*[ _-](?:here|placeholder)|not[ _-]?(?:set|used|needed)",
    re.IGNORECASE | re.DOTALL,
)
"""A placeholder for a credential."""
_BLANKED = re.compile(r"x{8,}|\*{4,}|\.{4,}", re.IGNORECASE)
"""A redacted part of a credential, as in manuals."""
_CONSTANT = re.compile(
    r"true|false|yes|no|on|off|none|null|nil|undefined|empty|n/?a|enabled|disabled|required|optional|authorization|bearer",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Za-z]+\d{0,3}(?:[._:-](?:[A-Za-z]+\d{0,3}|\d{1,3}))+|[A-Z]+(?:_[A-Z0-9]+)+")
"""Words in the style of a secret's name: `orders-db-credentials`."""
_NAME_OF_A_PASSWORD = re.compile(
    r"[a-z0-9]+(?:[._-][a-z0-9]+)+[._-](?:password|passwd|pass|pwd|secret|credentials?|token|key|parameter)"
)
_KEY_ID = re.compile(r"(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_LEAST_LENGTH = 6
"""A shorter value is no token or secret; a password may be shorter."""
_LONGEST = 8192
"""Characters that are read: Lambda allows 4 KB of variables
(https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{60,}={0,2}\s*")


def find_kind(value: str) -> str | None:
    """The kind of credential that a value is by its form; None for any other value."""
    text = value[:_LONGEST]
    texts = [text, decoded] if (decoded := _decode_base64(text)) else [text]
    return next((what for what, pattern in _KINDS.items() if any(_has_kind(pattern, text) for text in texts)), None)


def _has_kind(pattern: re.Pattern[str], text: str) -> bool:
    return any(
        not _BLANKED.search(match[0]) and not any(map(_PLACEHOLDER.fullmatch, filter(None, match.groups())))
        for match in pattern.finditer(text)
    )


def _decode_base64(text: str) -> str | None:
    """Decode base64, in which private keys are often stored."""
    if not _BASE64.fullmatch(text):
        return None
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def is_credential_name(name: str) -> bool:
    """Whether the name is that of a credential, and not of a reference to one or of an attribute."""
    words = _split(name)
    return _ends_with(words, _ENDINGS) or any(_ends_with_joined_words(word) for word in words[-1:])


def may_be_credential(name: str, value: str) -> bool:
    """Whether the value of a variable with a credential's name can be the credential itself.

    A reference, a placeholder, a constant, an empty text, and the name of a secret, a KMS key or a header cannot.
    """
    text, words = value[:_LONGEST].strip(), _split(name)
    if not text or _REFERENCE.fullmatch(text) or _CONSTANT.fullmatch(text) or _PLACEHOLDER.fullmatch(text):
        return False
    if _ends_with(words, _PASSWORD_ENDINGS) or any(word.endswith(("password", "passwd")) for word in words[-1:]):
        return not _NAME_OF_A_PASSWORD.fullmatch(text)
    if len(text) < _LEAST_LENGTH or _NAME.fullmatch(text):
        return False
    return not (_ends_with(words, _KEYS_OF_KMS) and _KEY_ID.fullmatch(text))


def _split(name: str) -> list[str]:
    """The words of a name in lower case, without numbers and qualifiers at its end."""
    words = [word.lower() for word in _WORD.findall(name)]
    while len(words) > 1 and (words[-1].isdigit() or words[-1] in _QUALIFIERS):
        words.pop()
    return words


def _ends_with(words: list[str], endings: tuple[tuple[str, ...], ...]) -> bool:
    return any(tuple(words[-len(ending) :]) == ending for ending in endings)


def _ends_with_joined_words(word: str) -> bool:
    return any(match.end() == len(word) for match in _JOINED.finditer(word))
