"""Tells a credential from what merely names one: by the name of a variable, and by the shape of its value."""

import re

_SHAPES = {
    "an AWS access key": re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])"),
    "a private key": re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    "a URL with a password": re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*:(?![$<{%*])[^\s/@]+@[^\s/@]+"),
    "a connection string with a password": re.compile(
        r"(?:^|[;?&\s])(?:password|pwd)=(?![$<{%*;&\s])[^;&\s]", re.IGNORECASE
    ),
    "a token": re.compile(
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|xox[abprs]-[A-Za-z0-9-]{10,}|[sr]k_live_[A-Za-z0-9]{16,}"
        r"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,})"
    ),
}
_ENDINGS = (
    ("pass",),
    ("pwd",),
    ("passphrase",),
    ("secret",),
    ("token",),
    ("credential",),
    ("credentials",),
    ("apikey",),
    ("api", "key"),
    ("access", "key"),
    ("secret", "key"),
    ("private", "key"),
    ("signing", "key"),
    ("encryption", "key"),
    ("license", "key"),
    ("access", "key", "id"),
)
"""The last words of a name that stands for a credential itself: API_KEY, and not SECRET_ARN."""
_PASSWORDS = ("password", "passwd")
"""The same, also at the end of a word: DB_PASSWORD and PGPASSWORD, and not PASSWORD_LENGTH."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_REFERENCE = re.compile(
    r"arn:.*|/.*|(?i:https?://[^:@]*|\{\{resolve:.*|(?:ssm|secretsmanager|vault|kms|file|op)[:+].*)|\$\{.*\}|<.*>"
    r"|[a-z][a-z0-9_.-]*(?:/[a-z0-9_.-]+)+|[A-Za-z_.-]+(?:/[A-Za-z_.-]+)+",
    re.DOTALL,
)
"""Says where a credential lies: an ARN, a path, the name of a secret or a parameter, a placeholder."""
_PLAIN = re.compile(r"true|false|yes|no|on|off|none|null|enabled|disabled|required|optional", re.IGNORECASE)


def shape(value: str) -> str | None:
    """What this value is, where its shape gives it away as a credential."""
    return next((what for what, pattern in _SHAPES.items() if pattern.search(value)), None)


def is_named_so(name: str) -> bool:
    """Whether a variable of this name holds a credential, and not where one lies or what is true of it."""
    words = [found.lower() for found in _WORD.findall(name)]
    while words and words[-1].isdigit():
        words.pop()
    return any(tuple(words[-len(ending) :]) == ending for ending in _ENDINGS) or any(
        word.endswith(_PASSWORDS) for word in words[-1:]
    )


def may_be_one(value: str) -> bool:
    """Whether this can be a credential at all: it neither says where one lies, nor yes or no, nor nothing."""
    text = value.strip()
    return bool(text) and not _REFERENCE.fullmatch(text) and not _PLAIN.fullmatch(text)
