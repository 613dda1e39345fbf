"""Reading people from a stream of NDJSON or CSV, one line after the other, in bounded memory."""

import csv
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import msgspec

from tidings.contracts.users import NewUser
from tidings.kit.errors import FieldFault
from tidings.kit.patterns import in_words
from tidings.users.validation import fit_user

MAX_LINE_BYTES = 64 * 1024
COLUMNS = ("external_id", "name", "email", "locale", "time_zone")
ATTRIBUTE = "attributes."

Chunks = AsyncIterator[bytes]


class Unreadable(Exception):
    """From this line on nothing can be read. The text says why, and what to do."""

    def __init__(self, line: int, words: str) -> None:
        super().__init__(words)
        self.line = line


@dataclass(frozen=True, slots=True)
class Row:
    """A person as a line has them, or what is wrong with the line."""

    line: int
    person: NewUser | None
    faults: list[FieldFault]


Format = Callable[[Chunks], AsyncIterator[Row]]


async def read_ndjson(chunks: Chunks) -> AsyncIterator[Row]:
    """A JSON object on each line; empty lines are passed over.

    Raises:
        Unreadable: a line is longer than 64 KiB.
    """
    decoder = msgspec.json.Decoder(NewUser)
    async for line, text in _lines(chunks):
        if not text.strip():
            continue
        try:
            yield _row(line, decoder.decode(text))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield Row(line, None, [_shape_fault(error)])


async def read_csv(chunks: Chunks) -> AsyncIterator[Row]:
    """RFC 4180 in UTF-8 with a header: our fields, and `attributes.<name>` for text attributes.

    An empty cell is left out. A quoted cell may hold line breaks.

    Raises:
        Unreadable: the header has a column we do not know, or a line is longer than 64 KiB.
    """
    header: list[str] | None = None
    async for line, text in _lines(chunks, quotes=True):
        if not text.strip():
            continue
        try:
            (cells,) = csv.reader([text.decode()], strict=True)
        except (csv.Error, UnicodeDecodeError) as error:
            if header is None:
                raise Unreadable(line, f"The header cannot be read: {error}") from error
            yield Row(line, None, [FieldFault(field="$", message=f"This is no line of CSV: {error}")])
            continue
        if header is None:
            header = _checked_header(line, cells)
        elif len(cells) != len(header):
            words = f"The line has {len(cells)} cells, the header {len(header)}"
            yield Row(line, None, [FieldFault(field="$", message=words)])
        else:
            yield _from_cells(line, dict(zip(header, cells, strict=True)))


async def _lines(chunks: Chunks, *, quotes: bool = False) -> AsyncIterator[tuple[int, bytes]]:
    """Each line with its number. With `quotes`, a line break between two `"` is part of the line."""
    waiting, first, number = bytearray(), 1, 1
    start = True
    async for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            waiting += part
            if start:
                waiting, start = waiting.removeprefix(b"\xef\xbb\xbf"), False
            number += 1
            if quotes and waiting.count(b'"') % 2:
                waiting += b"\n"
            else:
                _refuse_long(waiting, first)
                yield first, bytes(waiting)
                waiting.clear()
                first = number
        waiting += rest
        _refuse_long(waiting, first)
    if waiting:
        yield first, bytes(waiting.removeprefix(b"\xef\xbb\xbf") if start else waiting)


def _refuse_long(line: bytearray, number: int) -> None:
    if len(line) > MAX_LINE_BYTES:
        words = (
            f"This line is longer than {MAX_LINE_BYTES // 1024} KiB, or a quotation mark in it is not closed"
        )
        raise Unreadable(number, words)


def _checked_header(line: int, cells: list[str]) -> list[str]:
    header = [cell.strip() for cell in cells]
    for name in header:
        if name not in COLUMNS and not (name.startswith(ATTRIBUTE) and len(name) > len(ATTRIBUTE)):
            known = ", ".join(COLUMNS)
            raise Unreadable(line, f"There is no column {name!r}; there are {known} and {ATTRIBUTE}<name>")
        if header.count(name) > 1:
            raise Unreadable(line, f"The column {name!r} is there twice")
    return header


def _from_cells(line: int, cells: dict[str, str]) -> Row:
    fields: dict[str, object] = {name: cells[name] for name in COLUMNS if cells.get(name)}
    fields["attributes"] = {
        name.removeprefix(ATTRIBUTE): cell for name, cell in cells.items() if name not in COLUMNS and cell
    }
    try:
        return _row(line, msgspec.convert(fields, NewUser))
    except msgspec.ValidationError as error:
        return Row(line, None, [_shape_fault(error)])


def _row(line: int, person: NewUser) -> Row:
    fitted, faults = fit_user(person)
    return Row(line, None if faults else fitted, faults)


def _shape_fault(error: Exception) -> FieldFault:
    # msgspec's own words end in the path: "Expected `str`, got `int` - at `$.name`".
    words, _, path = in_words(str(error)).partition(" - at `")
    return FieldFault(field=path.removesuffix("`") or "$", message=words or "It is nested too deeply")
