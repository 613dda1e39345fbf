"""The page on push says what the providers file takes, no more and no less."""

import re
from pathlib import Path

import msgspec
import pytest

from docs.markdown import ROOT, blocks
from tidings.delivery.providers_file import ProviderConfig, read_providers
from tidings.push.providers import KINDS
from tidings.push.providers.configs import PushProviderConfig

PAGE = ROOT / "docs" / "push.md"
TEXT = PAGE.read_text("utf-8")
CONFIGS = {str(config.__struct_config__.tag): config for config in KINDS}
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<default>[^|]+) \|", re.MULTILINE)


def fields_told(heading: str) -> dict[str, str]:
    """The fields and defaults in the table below a heading."""
    section = TEXT.split(f"### {heading}\n", 1)[1].split("\n#", 1)[0]
    return {row["name"]: row["default"].strip("` ") for row in ROW.finditer(section)}


def fields_of(config: type[ProviderConfig], without: tuple[str, ...] = ()) -> dict[str, str]:
    """The fields and defaults of a config, as the page writes them."""
    return {
        field.name: "required" if field.required else str("none" if field.default is None else field.default)
        for field in msgspec.structs.fields(config)
        if field.name not in without
    }


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_fields_of_a_kind(kind: str) -> None:
    """Each field of a kind is in its table with its default."""
    assert fields_told(f"`{kind}`") == fields_of(CONFIGS[kind], ProviderConfig.__struct_fields__)


def test_the_fields_of_every_kind() -> None:
    """What all kinds share is told once."""
    assert fields_told("Fields of every provider") == fields_of(ProviderConfig)


def test_the_example(tmp_path: Path) -> None:
    """The example is a providers file that is taken as it stands, with one provider of each real kind."""
    [example] = [block.text for block in blocks(PAGE) if block.info == "toml"]
    file = tmp_path / "providers.toml"
    file.write_text(example, encoding="utf-8")
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", example), "value")
    providers = read_providers(file, PushProviderConfig, environ)
    kinds = {str(type(config).__struct_config__.tag) for config in providers.configs.values()}
    assert kinds == set(CONFIGS) - {"console"}
