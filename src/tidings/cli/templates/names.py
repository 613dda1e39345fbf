"""How the files of a template are named."""

import re
from collections.abc import Collection

ABOUT = "template.yaml"
"""What holds for a template in every language."""

FORMS = {"mjml": "mjml", "html": "html", "txt": "text"}
"""The field of an email by the ending of its file; the first one there is has the front matter."""

_NAME = re.compile(r"(?:email\.(?P<email>[^.]+)\.(?:mjml|html|txt)|push\.(?P<push>[^.]+)\.yaml)")


def is_part(name: str) -> bool:
    """Whether a file in a template's folder is one of its parts."""
    return name == ABOUT or _NAME.fullmatch(name) is not None


def locale_of(name: str) -> str:
    """The language of a part, from its name."""
    match = _NAME.fullmatch(name)
    return (match["email"] or match["push"]) if match else ""


def forms_of(names: Collection[str], locale: str) -> dict[str, str]:
    """The files of an email by field; the first of them has the front matter."""
    files = {field: f"email.{locale}.{ending}" for ending, field in FORMS.items()}
    return {field: name for field, name in files.items() if name in names}


def push_file(locale: str) -> str:
    """The file of a push notification."""
    return f"push.{locale}.yaml"


def stands_alone(name: str, names: Collection[str]) -> bool:
    """Whether a text form has no html or mjml beside it, and so the front matter."""
    return name.endswith(".txt") and list(forms_of(names, locale_of(name))) == ["text"]
