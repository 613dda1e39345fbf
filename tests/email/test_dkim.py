"""DKIM signatures as dkimpy, an implementation of its own, verifies them."""

import re
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Callable

import dkim  # type: ignore[import-untyped] # dkimpy says nothing of its types
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from support.letters import SENDER, letter_parcel, parsed
from tidings.contracts.messages import EmailParts
from tidings.contracts.templates import RenderedEmail
from tidings.email.dkim import SIGNED, DkimSigner
from tidings.email.letter import EmailParcel, File
from tidings.email.mime import MimeBuilder
from tidings.kit.settings import SettingsError

DOMAIN = "mail.example.com"
URL = "https://notify.example.com/u/token"
RECORD_NAME = b"tidings._domainkey.mail.example.com."
MESSY = RenderedEmail(subject="Grüße  aus\tBonn", text="a  b\t \n\n  \nc \n\n\n", html="<p>\t x </p>\n \n")

bodies = st.text(st.sampled_from("ab \t\n\rä."), max_size=60)


class Key(ABC):
    """A private key, and what dkimpy says of emails signed with it."""

    def __init__(self, private: RSAPrivateKey | Ed25519PrivateKey) -> None:
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.builder = MimeBuilder(SENDER, DkimSigner(domain=DOMAIN, selector="tidings", key_pem=pem))

    @abstractmethod
    def verifies(self, raw: bytes) -> bool: ...


class RsaKey(Key):
    def __init__(self) -> None:
        private = new_rsa_key(public_exponent=65537, key_size=2048)
        super().__init__(private)
        public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self._record = b"v=DKIM1; k=rsa; p=" + b64encode(public)

    def verifies(self, raw: bytes) -> bool:
        def look_up(name: bytes, timeout: int = 5) -> bytes | None:
            return self._record if name == RECORD_NAME and timeout else None

        return bool(dkim.verify(raw, dnsfunc=look_up))


class Ed25519Key(Key):
    """dkimpy takes the email apart and says what was signed; the curve itself is left to `cryptography`."""

    def __init__(self) -> None:
        private = Ed25519PrivateKey.generate()
        super().__init__(private)
        self._public = private.public_key()
        self._valid = False

    def verifies(self, raw: bytes) -> bool:
        email = dkim.DKIM(raw)
        email.pk, email.ktag, email.seqtlsrpt = self, b"ed25519", False
        self._valid = False
        try:
            fields, signed, signatures = email.verify_headerprep()
            email.verify_sig_process(fields, signed, signatures[0], None)
        except dkim.DKIMException:
            return False
        return self._valid and b"%s._domainkey.%s." % (fields[b"s"], fields[b"d"]) == RECORD_NAME

    def verify(self, digest: bytes, signature: bytes) -> None:
        """What dkimpy asks of a key."""
        try:
            self._public.verify(signature, digest)
        except InvalidSignature:
            return
        self._valid = True


KEYS: dict[str, Key] = {"rsa": RsaKey(), "ed25519": Ed25519Key()}


def full_parcel() -> EmailParcel:
    """An email with everything that one can have."""
    parts = EmailParts(
        reply_to="help@example.com",
        cc=[f"copy{number}@example.com" for number in range(9)],
        headers={"X-Order": "1"},
    )
    files = (File("räport.pdf", "application/pdf", b"x" * 500), File("l.png", "image/png", b"y", "logo"))
    return letter_parcel(MESSY, name="Jörg  Ä", parts=parts, files=files, unsubscribe_url=URL)


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("parcel", [letter_parcel(), full_parcel(), letter_parcel(to="jörg@example.com")])
def test_signatures_verify(kind: str, parcel: EmailParcel) -> None:
    """A signed email verifies, with both kinds of key and whatever is in it."""
    assert KEYS[kind].verifies(KEYS[kind].builder.build(parcel))


@given(text=bodies, html=bodies, subject=bodies)
def test_any_white_space_verifies(text: str, html: str, subject: str) -> None:
    """However white space and empty lines are spread, both sides count them the same."""
    key = KEYS["ed25519"]
    email = RenderedEmail(subject=subject, text=text, html=html)
    assert key.verifies(key.builder.build(letter_parcel(email)))


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize(
    "tamper",
    [
        lambda raw: raw.replace(b"Html", b"html"),
        lambda raw: raw.replace(b"Subject: Subject", b"Subject: Object"),
        lambda raw: raw.replace(b"hello@", b"hullo@"),
        lambda raw: raw.replace(b"ada@example.com", b"eve@example.com"),
        lambda raw: raw.replace(b"/u/token", b"/u/other"),
        lambda raw: raw.replace(b"One-Click", b"Two-Click"),
        lambda raw: b"From: Eve <eve@example.com>\r\n" + raw,
        lambda raw: raw + b"more\r\n",
        lambda raw: raw.replace(b"s=tidings", b"s=other"),
    ],
    ids=["body", "subject", "from", "to", "link", "one-click", "second From", "added text", "selector"],
)
def test_tampering_shows(kind: str, tamper: Callable[[bytes], bytes]) -> None:
    """Whoever changes or adds a signed header or the body breaks the signature."""
    raw = KEYS[kind].builder.build(letter_parcel(unsubscribe_url=URL))
    assert KEYS[kind].verifies(raw)
    assert tamper(raw) != raw
    assert not KEYS[kind].verifies(tamper(raw))


def test_what_relays_may_change() -> None:
    """A relay that refolds headers, shortens white space or adds trace headers breaks nothing."""
    key = KEYS["ed25519"]
    raw = key.builder.build(letter_parcel(RenderedEmail(subject="a b", text="x  y \n\n")))
    relayed = b"Received: from a by b\r\n" + raw.replace(b"Subject: a b", b"SUBJECT:  a\r\n\tb")
    assert key.verifies(relayed.replace(b"x  y \r\n\r\n", b"x y\r\n"))


def test_what_is_signed() -> None:
    """Every header that RFC 8058 and common sense want signed is, and From once more than it is there."""
    email = parsed(KEYS["rsa"].builder.build(full_parcel()))
    tags = dict(re.findall(r"(\w+)=([^;]*)", re.sub(r"\s", "", email["DKIM-Signature"])))
    assert tags["h"].split(":") == ["from", *[name for name in SIGNED if name in email]]
    assert {"list-unsubscribe", "list-unsubscribe-post", "reply-to", "cc"} <= set(tags["h"].split(":"))
    assert (tags["v"], tags["a"], tags["c"]) == ("1", "rsa-sha256", "relaxed/relaxed")
    assert (tags["d"], tags["s"]) == (DOMAIN, "tidings")
    assert email.keys()[0] == "DKIM-Signature"


def pem(encryption: KeySerializationEncryption) -> bytes:
    private = new_rsa_key(public_exponent=65537, key_size=2048)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


USABLE = pem(NoEncryption())
ENCRYPTED = pem(BestAvailableEncryption(b"password"))
ELLIPTIC = new_ec_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("key_pem", "words"),
    [
        (b"", "openssl"),
        (b"-----BEGIN PRIVATE KEY-----\nnothing\n-----END PRIVATE KEY-----\n", "openssl"),
        (ENCRYPTED, "unencrypted"),
        (ELLIPTIC, "RSA and Ed25519 only"),
    ],
)
def test_a_key_that_cannot_sign(key_pem: bytes, words: str) -> None:
    """A key that is of no use is refused at the start, in words that say what is wanted."""
    with pytest.raises(SettingsError, match=words):
        DkimSigner(domain=DOMAIN, selector="tidings", key_pem=key_pem)


@pytest.mark.parametrize(
    ("domain", "selector"),
    [
        ("", "s"),
        ("bücher.example", "s"),
        ("a b", "s"),
        (DOMAIN, ""),
        (DOMAIN, "x; d=evil"),
        (DOMAIN, "s\r\n"),
    ],
)
def test_names_that_are_none(domain: str, selector: str) -> None:
    """A domain or selector that could not stand in the DNS is refused at the start."""
    with pytest.raises(SettingsError, match="DKIM"):
        DkimSigner(domain=domain, selector=selector, key_pem=USABLE)
