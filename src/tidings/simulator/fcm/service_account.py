"""The service account of the fake Google project: a key file like the one from the Firebase console."""

import os
import secrets
import tempfile
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tidings.kit.settings import SettingsError

PROJECT_ID = "tidings-simulator"
CLIENT_EMAIL = f"fcm@{PROJECT_ID}.iam.gserviceaccount.com"
KEY_BITS = 2048


class ServiceAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the key file; the names are Google's."""

    type: str = "service_account"
    project_id: str = PROJECT_ID
    private_key_id: str
    private_key: str
    client_email: str = CLIENT_EMAIL
    client_id: str
    auth_uri: str = "https://accounts.google.com/o/oauth2/auth"
    token_uri: str
    universe_domain: str = "googleapis.com"

    def __repr__(self) -> str:
        """Without the key."""
        return f"ServiceAccount({self.client_email})"

    def public_key(self) -> rsa.RSAPublicKey:
        """The half of the key that checks signatures.

        Raises:
            ValueError: the private key is not an RSA key in PEM.
        """
        key = serialization.load_pem_private_key(self.private_key.encode(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError("the private key is not an RSA key")  # noqa: TRY004 - the file's value is wrong
        return key.public_key()


def open_service_account(path: Path, *, token_uri: str) -> ServiceAccount:
    """The account in `path`, made if the file is missing; its `token_uri` is corrected if we moved.

    Raises:
        SettingsError: the file holds something that we did not make, and will not touch.
    """
    if not path.exists():
        account = _new_account(token_uri)
        _write(path, account)
        return account
    account = _read(path)
    if account.token_uri != token_uri:
        account = msgspec.structs.replace(account, token_uri=token_uri)
        _write(path, account)
    return account


def _new_account(token_uri: str) -> ServiceAccount:
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return ServiceAccount(
        private_key_id=secrets.token_hex(20),
        private_key=pem.decode(),
        client_id=str(secrets.randbelow(10**21)),
        token_uri=token_uri,
    )


def _read(path: Path) -> ServiceAccount:
    try:
        account = msgspec.json.decode(path.read_bytes(), type=ServiceAccount)
        account.public_key()
    except ValueError as error:
        raise _foreign(path, str(error)) from error
    if account.client_email != CLIENT_EMAIL:
        raise _foreign(path, f"it belongs to {account.client_email}")
    return account


def _foreign(path: Path, why: str) -> SettingsError:
    return SettingsError(
        f"{path} is not a service account that the simulator made ({why}). Name another file in "
        "TIDINGS_SIMULATOR_SERVICE_ACCOUNT_FILE, or move this one away and a new one is made."
    )


def _write(path: Path, account: ServiceAccount) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes the file readable by its owner only.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(account), indent=2))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
