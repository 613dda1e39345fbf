"""The signing key of the fake team: a file like the one from Apple's developer site."""

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tidings.kit.settings import SettingsError

TEAM_ID = "SIMULATORS"
KEY_ID = "SIMULATOR1"


def open_signing_key(path: Path) -> ec.EllipticCurvePublicKey:
    """What checks signatures of the key in `path`, which is made if the file is missing.

    Raises:
        SettingsError: the file holds something else, and is left alone.
    """
    if not path.exists():
        _make(path)
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as error:
        raise _foreign(path) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _foreign(path)
    return key.public_key()


def _make(path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)


def _foreign(path: Path) -> SettingsError:
    return SettingsError(
        f"{path} is no signing key that the simulator made. Name another file in "
        "TIDINGS_SIMULATOR_APNS_KEY_FILE, or move this one away and a new one is made."
    )
