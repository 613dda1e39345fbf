"""Values as headers hold them: any script as encoded words (RFC 2047), lines folded, no line break let in."""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote

from tidings.kit.email_headers import CONTROLS, check_header, is_structured

_CONTROL_RUN = re.compile(f"[{CONTROLS}]+")
_PLAIN = re.compile(r"(?!.*=\?)[ -~]{0,60}")
_FOLDABLE = re.compile(r"(?!.*=\?)[!-~]{1,60}(?: [!-~]{1,60})*")
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_PLAIN_PARAMETER = re.compile(r"[A-Za-z0-9!#$&()*+,./:;<=>@^_`{|}~ -]{1,50}")
_LINE_CHARS = 65
_WORD_BYTES = 39
"""So that an encoded word and `Subject: ` fit the 76 characters of a line (RFC 2047, section 2)."""
_ESCAPED_CHARS = 54
_ESCAPED_CHUNK = re.compile(rf"(?:%..|[^%]){{1,{_ESCAPED_CHARS // 3}}}")


@lru_cache(maxsize=1_024)
def unstructured(text: str) -> str:
    """A subject: control characters become spaces. Cached, as many emails of one template share theirs."""
    shown = _on_one_line(text)
    if _PLAIN.fullmatch(shown):
        return shown
    return _folded(shown.split(" ")) if _FOLDABLE.fullmatch(shown) else _encoded_words(shown)


def mailbox(name: str, address: str) -> str:
    """An address, which is written as it stands, with the name of whose it is, when there is one."""
    shown = _on_one_line(name)
    if not shown:
        return address
    if not _PLAIN.fullmatch(shown):
        phrase = _encoded_words(shown)
    elif _PHRASE.fullmatch(shown):
        phrase = shown
    else:
        escaped = shown.replace("\\", "\\\\").replace('"', '\\"')
        phrase = f'"{escaped}"'
    fold = "\r\n " if len(phrase) + len(address) > _LINE_CHARS else " "
    return f"{phrase}{fold}<{address}>"


def custom(name: str, value: str) -> str:
    """The value of a header that a caller set.

    Raises:
        ValueError: callers may not set this header, or not to this value.
    """
    check_header(name, value)
    # Encoded words are for people: a program that reads X-... of ASCII finds it as it was given.
    return _folded(value.split()) if is_structured(name) or value.isascii() else _encoded_words(value.strip())


def parameter(name: str, value: str) -> str:
    """A parameter of a header with what goes before it, in any script (RFC 2231), on lines of its own."""
    shown = _on_one_line(value)
    if _PLAIN_PARAMETER.fullmatch(shown):
        return f';\r\n {name}="{shown}"'
    chunks = _ESCAPED_CHUNK.findall(quote(shown, safe=""))
    if len(chunks) <= 1:
        return f";\r\n {name}*=utf-8''{''.join(chunks)}"
    charsets = ("utf-8''", *[""] * (len(chunks) - 1))
    return "".join(
        f";\r\n {name}*{number}*={charset}{chunk}"
        for number, (charset, chunk) in enumerate(zip(charsets, chunks, strict=True))
    )


def _on_one_line(text: str) -> str:
    return _CONTROL_RUN.sub(" ", text).strip()


def _folded(words: Iterable[str]) -> str:
    lines: list[str] = []
    line = ""
    for word in words:
        if line and len(line) + len(word) >= _LINE_CHARS:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\r\n ".join((*lines, line))


def _encoded_words(text: str) -> str:
    return "\r\n ".join(f"=?utf-8?b?{b64encode(chunk).decode()}?=" for chunk in _chunks(text))


def _chunks(text: str) -> Iterator[bytes]:
    chunk = b""
    for letter in text:  # a letter may not be cut in two (RFC 2047, section 5)
        encoded = letter.encode()
        if len(chunk) + len(encoded) > _WORD_BYTES:
            yield chunk
            chunk = b""
        chunk += encoded
    yield chunk
