"""What dead letters have in common: a detail without the parts that differ from message to message."""

import re

CAUSE_CHARS = 300

# Status codes such as 550 and 5.1.1, and the names of variables, are what tells causes apart: they stay.
_VARYING = [
    (re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"), "(id)"),
    (re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"), "(address)"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"), "(time)"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+)?"), "(ip)"),
    (re.compile(r"\b(?=(?:[A-Za-z]*\d){3})[0-9A-Za-z]{8,}\b"), "(id)"),
    (re.compile(r"\b\d{4,}\b"), "(number)"),
    (re.compile(r"\s+"), " "),
]


def cause_of(detail: str) -> str:
    """The same for two details that differ only in ids, addresses, times and long numbers."""
    for pattern, word in _VARYING:
        detail = pattern.sub(word, detail)
    return detail.strip()[:CAUSE_CHARS]
