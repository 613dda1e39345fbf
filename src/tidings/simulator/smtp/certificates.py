"""The SMTP server's certificates: a good one from an authority of its own, and three bad ones."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tidings.kit.ids import now
from tidings.kit.settings import SettingsError
from tidings.simulator.faults import Faults

AUTHORITY_FILE: Final = "ca.pem"
"""What clients are to trust."""

_KINDS: Final = ("good", "expired", "wrong_host", "self_signed")
_NAMES: Final = ("localhost", "simulator.tidings.test")
_ADDRESSES: Final = ("127.0.0.1", "::1")
_YEARS: Final = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class _Issuer:
    name: x509.Name
    key: EllipticCurvePrivateKey


def open_certificates(folder: str, faults: Faults) -> ssl.SSLContext:
    """A context for servers, whose certificate the faults in force choose at each handshake.

    The files in `folder` are made unless all of them are there, so that clients may go on trusting
    `ca.pem` after a restart.

    Raises:
        SettingsError: the folder cannot be written.
    """
    try:
        return _context(_files(Path(folder)), faults)
    except OSError as error:
        raise SettingsError(
            f"The simulator cannot keep its certificates: {error}. "
            "TIDINGS_SIMULATOR_CERTIFICATES_FOLDER names the folder."
        ) from error


def _context(files: Mapping[str, Path], faults: Faults) -> ssl.SSLContext:
    contexts = {kind: ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) for kind in files}
    for kind, context in contexts.items():
        context.load_cert_chain(files[kind])

    def choose(
        connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        fault = faults.strike_smtp("tls")
        if fault is not None and fault.certificate is not None:
            connection.context = contexts[fault.certificate]

    good = contexts["good"]
    good.sni_callback = choose
    return good


def _files(folder: Path) -> Mapping[str, Path]:
    files = {kind: folder / f"{kind}.pem" for kind in _KINDS}
    authority = folder / AUTHORITY_FILE
    if not all(file.exists() for file in (authority, *files.values())):
        folder.mkdir(parents=True, exist_ok=True)
        issuer = _Issuer(_name("Tidings simulator authority"), generate_private_key(SECP256R1()))
        for kind, file in files.items():
            _write(file, _leaf(kind, issuer))
        # Last, so that a half-made folder is made anew.
        authority.write_bytes(_authority(issuer).public_bytes(Encoding.PEM))
    return files


def _authority(issuer: _Issuer) -> x509.Certificate:
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _builder(issuer, issuer.name, issuer.key, _YEARS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(issuer.key, SHA256())
    )


def _leaf(kind: str, authority: _Issuer) -> bytes:
    """Certificate and key, in PEM."""
    key = generate_private_key(SECP256R1())
    subject = _name("mail.elsewhere.test" if kind == "wrong_host" else _NAMES[0])
    issuer = _Issuer(subject, key) if kind == "self_signed" else authority
    certificate = (
        _builder(issuer, subject, key, timedelta(days=-1) if kind == "expired" else _YEARS)
        .add_extension(_hosts(kind), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(issuer.key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM) + private


def _builder(
    issuer: _Issuer, subject: x509.Name, key: EllipticCurvePrivateKey, validity: timedelta
) -> x509.CertificateBuilder:
    """A certificate for `key` that ends after `validity` from now."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(days=30))
        .not_valid_after(now() + validity)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
        )
    )


def _hosts(kind: str) -> x509.SubjectAlternativeName:
    if kind == "wrong_host":
        return x509.SubjectAlternativeName([x509.DNSName("mail.elsewhere.test")])
    names = [x509.DNSName(name) for name in _NAMES]
    return x509.SubjectAlternativeName(
        [*names, *(x509.IPAddress(ip_address(address)) for address in _ADDRESSES)]
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _write(file: Path, content: bytes) -> None:
    file.touch(mode=0o600, exist_ok=True)
    file.write_bytes(content)
