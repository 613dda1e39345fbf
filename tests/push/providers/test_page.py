"""The page on push says what the providers file takes, no more and no less."""

import re
from pathlib import Path

import pytest

from docs.markdown import ROOT, blocks
from support.provider_pages import fields_of, fields_told
from tidings.delivery.providers_file import ProviderConfig, read_providers
from tidings.push.providers import KINDS
from tidings.push.providers.configs import PushProviderConfig

PAGE = ROOT / "docs" / "push.md"
TEXT = PAGE.read_text("utf-8")
CONFIGS = {str(config.__struct_config__.tag): config for config in KINDS}


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_fields_of_a_kind(kind: str) -> None:
    """Each field of a kind is in its table with its default."""
    assert fields_told(TEXT, f"`{kind}`") == fields_of(CONFIGS[kind], ProviderConfig.__struct_fields__)


def test_the_fields_of_every_kind() -> None:
    """What all kinds share is told once."""
    assert fields_told(TEXT, "Fields of every provider") == fields_of(ProviderConfig)


def test_the_example(tmp_path: Path) -> None:
    """The example is a providers file that is taken as it stands, with one provider of each real kind."""
    [example] = [block.text for block in blocks(PAGE) if block.info == "toml"]
    file = tmp_path / "providers.toml"
    file.write_text(example, encoding="utf-8")
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", example), "value")
    providers = read_providers(file, PushProviderConfig, environ)
    kinds = {str(type(config).__struct_config__.tag) for config in providers.configs.values()}
    assert kinds == set(CONFIGS) - {"console"}
