"""An operation as a command that a reader can copy."""

import re
from collections.abc import Sequence

_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


def curl_of(
    method: str, path: str, *, keyed: bool, required: Sequence[str], body: tuple[str, str] | None
) -> str:
    """The call with curl. What a reader has to fill in is a shell variable, such as `$USER_ID`.

    `keyed`: it takes an API key. `required` are the query parameters that it cannot go without; `body`
    is a media type and an example.
    """
    url = "$TIDINGS_URL" + _PARAMETER.sub(lambda found: f"${found[1].upper()}", path)
    if required:
        url += "?" + "&".join(f"{name}=${name.upper()}" for name in required)
    lines = ["curl" + ("" if method == "GET" else f" -X {method}") + f' "{url}"']
    if keyed:
        lines.append('-H "Authorization: Bearer $TIDINGS_API_KEY"')
    if body is not None:
        media_type, example = body
        lines += [f"-H 'Content-Type: {media_type}'", f"--data-binary {_quoted(example)}"]
    return " \\\n  ".join(lines)


def _quoted(text: str) -> str:
    """In single quotes for a shell, in which only they themselves mean anything."""
    return "'" + text.replace("'", "'\\''") + "'"
