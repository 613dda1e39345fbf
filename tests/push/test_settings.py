"""Which providers the push service has: one FCM project from the environment, or a file of many."""

from pathlib import Path

import pytest

from support.servers import SERVICE_SECRET
from tidings.contracts.codes import Priority
from tidings.kit.settings import SettingsError
from tidings.push.providers import configs
from tidings.push.settings import PushSettings

FILE = """
[providers.firebase]
kind = "fcm"
credentials_file = "/run/secrets/fcm.json"
per_second = 500

[providers.browsers]
kind = "webpush"
subject = "mailto:ops@example.com"
private_key = "AAAA"

[providers.apple]
kind = "apns"
key_file = "/run/secrets/apns.p8"
key_id = "ABCDEFGHIJ"
team_id = "0123456789"
topic = "com.example.app"
environment = "development"

[providers.onesignal]
kind = "onesignal"
app_id = "1"
api_key = "key"

[providers.expo]
kind = "expo"

[providers.dry]
kind = "console"

[lanes]
normal = ["firebase", "browsers", "apple", "onesignal", "expo"]
"""


def settings_with(**given: str) -> PushSettings:
    return PushSettings(
        port=0,
        service_secret=SERVICE_SECRET,
        broker_url="postgresql://unused",
        cache_url="redis://unused",
        users_url="http://unused",
        templates_url="http://unused",
        **given,  # type: ignore[arg-type] # the settings given are all texts
    )


def test_one_fcm_project() -> None:
    """Without a file, the key of one FCM project is enough."""
    providers = settings_with(fcm_credentials_file="/fcm.json").providers()
    (config,) = providers.configs.values()
    assert isinstance(config, configs.FcmConfig)
    assert (config.credentials_file, list(providers.configs)) == ("/fcm.json", ["fcm"])


def test_a_file_of_every_kind(tmp_path: Path) -> None:
    """A file may name every kind of provider, each with what it needs, and the lanes they stand in."""
    file = tmp_path / "push.toml"
    file.write_text(FILE)
    providers = settings_with(providers_file=str(file)).providers()
    assert [type(config) for config in providers.configs.values()] == [
        configs.FcmConfig,
        configs.WebPushConfig,
        configs.ApnsConfig,
        configs.OneSignalConfig,
        configs.ExpoConfig,
        configs.ConsoleConfig,
    ]
    assert providers.configs["firebase"].per_second == 500
    assert "dry" not in {name for step in providers.lanes[Priority.NORMAL] for name, _ in step}


def test_neither() -> None:
    """Without either the words name both variables."""
    with pytest.raises(SettingsError, match=r"FCM_CREDENTIALS_FILE is not set(.|\n)*PUSH_PROVIDERS_FILE"):
        settings_with().providers()


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('kind = "expo"', 'kind = "pigeon"', "pigeon"),
        ('subject = "mailto:ops@example.com"', 'subject = "ops@example.com"', "subject"),
        ('key_id = "ABCDEFGHIJ"', 'key_id = "short"', "key_id"),
        ('environment = "development"', 'environment = "sandbox"', "environment"),
        ('app_id = "1"', 'app_id = "1"\ncolour = "red"', "colour"),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, old: str, new: str, word: str) -> None:
    """What no provider understands is named, with the file."""
    file = tmp_path / "push.toml"
    file.write_text(FILE.replace(old, new))
    with pytest.raises(SettingsError, match=word):
        settings_with(providers_file=str(file)).providers()
