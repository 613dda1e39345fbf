from pathlib import Path

import pytest

from tidings.contracts.codes import Priority
from tidings.delivery.providers_file import Providers, read_providers
from tidings.email.providers.configs import EmailProviderConfig, ResendConfig, SmtpConfig
from tidings.kit.settings import SettingsError

TWO = """
[providers.relay]
kind = "smtp"
host = "smtp.example.com"
per_second = 20

[providers.resend]
kind = "resend"
api_key = "${RESEND_KEY}"
"""


def read(folder: Path, text: str, **environ: str) -> Providers:
    """The providers that a file with this text gives."""
    file = folder / "providers.toml"
    file.write_text(text, encoding="utf-8")
    return read_providers(file, EmailProviderConfig, environ)


def test_lanes_default_to_the_order_of_the_file(tmp_path: Path) -> None:
    """Without lanes every priority tries every provider, in the file's order."""
    providers = read(tmp_path, TWO, RESEND_KEY="secret")
    assert providers.lanes == dict.fromkeys(Priority, ((("relay", 1.0),), (("resend", 1.0),)))
    assert isinstance(providers.configs["relay"], SmtpConfig)
    assert providers.configs["relay"].per_second == 20


def test_lanes_have_steps_and_weights(tmp_path: Path) -> None:
    """A lane names its steps, a step its providers with their weights; other lanes follow `normal`."""
    lanes = '[lanes]\nnormal = ["relay:3|resend"]\ncritical = ["resend", "relay"]\n'
    providers = read(tmp_path, lanes + TWO, RESEND_KEY="secret")
    drawn = ((("relay", 3.0), ("resend", 1.0)),)
    assert providers.lanes == {
        Priority.NORMAL: drawn,
        Priority.BULK: drawn,
        Priority.CRITICAL: ((("resend", 1.0),), (("relay", 1.0),)),
    }


def test_secrets_come_from_the_environment(tmp_path: Path) -> None:
    """`${NAME}` stands for a variable, and no secret shows in what is printed."""
    config = read(tmp_path, TWO, RESEND_KEY="re_verysecret").configs["resend"]
    assert isinstance(config, ResendConfig)
    assert config.api_key == "re_verysecret"
    assert "verysecret" not in repr(config)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[providers", "cannot be read"),
        ("", r"no table `\[providers\.NAME\]`"),
        ("providers = 7", r"no table `\[providers\.NAME\]`"),
        ("[providers]\nrelay = 7", r"in the table `\[providers\.relay\]`: Expected `object`"),
        ("[provider.relay]", "there is no table provider"),
        ('[providers.relay]\nkind = "pigeon"', r"providers\.relay\]`: Invalid value 'pigeon'"),
        ('[providers.relay]\nkind = "smtp"\nhots = "x"', r"providers\.relay\]`: .* `hots`"),
        ('[providers.relay]\nkind = "smtp"\nper_second = 0', "per_second"),
        ('[providers."Re lay"]\nkind = "smtp"', "`Re lay` is no name for a provider"),
        ('[providers.sandbox]\nkind = "console"', "the name sandbox is taken"),
        ('[lanes]\nnromal = ["relay"]' + TWO.replace("${RESEND_KEY}", "k"), r"\[lanes\]`: .* `nromal`"),
        (TWO, "the environment has no RESEND_KEY"),
        ('[lanes]\nnormal = ["relais"]' + TWO.replace("${RESEND_KEY}", "k"), "names `relais`, which is none"),
        ('[lanes]\nnormal = ["relay:-1"]' + TWO.replace("${RESEND_KEY}", "k"), "no positive number"),
        ('[lanes]\nnormal = ["relay:nan"]' + TWO.replace("${RESEND_KEY}", "k"), "no positive number"),
        ("[lanes]\nnormal = []" + TWO.replace("${RESEND_KEY}", "k"), "has no step"),
    ],
)
def test_malformed_files_are_refused(tmp_path: Path, text: str, words: str) -> None:
    """What no provider understands stops the start, with the file and the place in words."""
    with pytest.raises(SettingsError, match=words) as refused:
        read(tmp_path, text)
    assert str(tmp_path / "providers.toml") in str(refused.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(SettingsError, match=r"nowhere\.toml cannot be read"):
        read_providers(tmp_path / "nowhere.toml", EmailProviderConfig)
