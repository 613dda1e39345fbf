"""The keys that the simulator signs events with: both come of its one key file, so they stay the same."""

import hashlib
from base64 import b64encode
from datetime import timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from tidings.kit.ids import now

# The order of P-256 (FIPS 186-5); a private key is a number below it.
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
LIFETIME = timedelta(days=3650)


class SigningKeys:
    """SendGrid's key on the curve P-256, and the RSA key and certificate of SNS."""

    def __init__(self, rsa_pem: str) -> None:
        key = serialization.load_pem_private_key(rsa_pem.encode(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("SNS signs with RSA")
        self._rsa = key
        seed = hashlib.sha512(b"sendgrid event webhook\n" + rsa_pem.encode()).digest()
        self._p256 = ec.derive_private_key(1 + int.from_bytes(seed) % (_P256_ORDER - 1), ec.SECP256R1())

    def sign_p256(self, data: bytes) -> str:
        """ECDSA with SHA-256, DER in base64."""
        return b64encode(self._p256.sign(data, ec.ECDSA(hashes.SHA256()))).decode()

    def sign_rsa(self, data: bytes) -> str:
        """RSA PKCS #1 v1.5 with SHA-256, in base64."""
        return b64encode(self._rsa.sign(data, padding.PKCS1v15(), hashes.SHA256())).decode()

    @cached_property
    def p256_public(self) -> str:
        """The public key as SendGrid shows it: DER in base64."""
        der = self._p256.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return b64encode(der).decode()

    @cached_property
    def certificate(self) -> bytes:
        """A certificate for the RSA key, in PEM, signed by itself."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        moment = now()
        built = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._rsa.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment - timedelta(days=1))
            .not_valid_after(moment + LIFETIME)
            .sign(self._rsa, hashes.SHA256())
        )
        return built.public_bytes(serialization.Encoding.PEM)
