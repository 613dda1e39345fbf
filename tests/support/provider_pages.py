"""What docs/email.md and docs/push.md tell of the providers' fields."""

import re

import msgspec

from tidings.delivery.providers_file import ProviderConfig

_ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<default>[^|]+) \|", re.MULTILINE)


def fields_told(page: str, heading: str) -> dict[str, str]:
    """The fields and defaults in the table below a heading."""
    section = page.split(f"### {heading}\n", 1)[1].split("\n#", 1)[0]
    return {row["name"]: row["default"].strip("` ") for row in _ROW.finditer(section)}


def fields_of(config: type[ProviderConfig], without: tuple[str, ...] = ()) -> dict[str, str]:
    """The fields and defaults of a config, as the pages write them."""
    return {
        field.name: "required" if field.required else str("none" if field.default is None else field.default)
        for field in msgspec.structs.fields(config)
        if field.name not in without
    }
