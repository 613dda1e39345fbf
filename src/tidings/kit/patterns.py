"""What a text should look like, in words: who misspelt a name should not have to read regular expressions."""

import re
from ast import literal_eval

_NAMED = re.compile(r"matching regex ('.*'|\".*\")")

WORDS = {
    r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*(?!\n)$": "that is a language tag (BCP 47), such as `en` or `pt-BR`",
    r"^[a-z0-9][a-z0-9_.-]{0,99}(?!\n)$": (
        "of at most 100 lower-case letters, digits, `_`, `.` and `-`, the first a letter or a digit"
    ),
    r"^[a-z0-9][a-z0-9_.-]{0,99}$": (
        "of at most 100 lower-case letters, digits, `_`, `.` and `-`, the first a letter or a digit"
    ),
    r"^[\w.-]{1,100}(?!\n)$": "of 1 to 100 letters, digits, `_`, `.` and `-`",
    r"^[^\x00]*$": "without the character U+0000",
    r"^[^\x00]{1,100}(?!\n)$": "of 1 to 100 characters, none of them U+0000, on one line",
    r"^[^\x00]{1,255}(?!\n)$": "of 1 to 255 characters, none of them U+0000, on one line",
    r"^[0-9a-f]{12}(?!\n)$": "of 12 hexadecimal digits, as the `group` of a dead letter has it",
    r"^https?://[^\s\x00-\x1f\x7f]+(?!\n)$": "that is an http or https URL without spaces",
    r"^(https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/])": (
        "that is an https URL; http goes to this machine only"
    ),
    r"^https?://[^/\s]+\S*$": "that is an http or https URL without spaces",
    r"^[A-Za-z]{1,60}$": "of 1 to 60 letters",
    r"^[ -~]+$": "of ASCII characters that can be printed, on one line",
    r"^[A-Za-z0-9_:-]{20,4096}$": "of 20 to 4,096 letters, digits, `_`, `:` and `-`",
    r"^arn:aws:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}$": (
        "that is the ARN of a topic, such as `arn:aws:sns:us-east-1:000000000000:events`"
    ),
    r"^whsec_[A-Za-z0-9+/]+={0,2}$": "that is `whsec_` and base64",
    r"^([01][0-9]|2[0-3]):[0-5][0-9](?!\n)$": "that is a time of day from `00:00` to `23:59`",
}
"""For every pattern of our contracts and query parameters."""


def in_words(message: str) -> str:
    """A validation message of msgspec with the pattern that it quotes put into words, where we have them."""
    return _NAMED.sub(lambda quoted: WORDS.get(literal_eval(quoted[1]), quoted[0]), message)
