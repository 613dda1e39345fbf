"""How long it takes to write an email out, against `email.message`: `.venv/bin/python benchmarks/mime.py`.

Each email has a text and an html of 2 KiB each, prose and a table, as a template with inlined styles gives
them. Each figure is the best of several rounds, so that other work on the machine counts less.
"""

import timeit
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tidings.contracts.codes import Channel
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import RenderedEmail
from tidings.contracts.users import Contact, Preferences
from tidings.delivery.channel import Parcel
from tidings.email.dkim import DkimSigner
from tidings.email.letter import EmailParcel, File, Letter
from tidings.email.mime import MimeBuilder
from tidings.kit.ids import now

ROUNDS = 7
SENDER = "Example <hello@mail.example.com>"
DOMAIN = "mail.example.com"
ENGLISH = "Thank you for your order, Ada. We pack it tonight and send it within two days.\n"
GERMAN = "Danke für die Bestellung, Ada. Wir packen sie heute noch und schicken sie übermorgen los.\n"
JAPANESE = "ご注文ありがとうございます。今夜梱包し、二日以内に発送します。\n"
ROW = '<p style="margin: 0; padding: 4px; font-family: sans-serif; color: #1a1a1a">{}</p>\n'


def main() -> None:
    builder = MimeBuilder(SENDER)
    print(f"{'':<34}{'size':>10}{'MimeBuilder':>16}{'EmailMessage':>16}{'ratio':>9}")
    for name, line in (("English", ENGLISH), ("German", GERMAN), ("Japanese", JAPANESE)):
        parcel = letter_of(line)
        ours = microseconds(partial(builder.build, parcel))
        standard = microseconds(partial(by_email_message, parcel))
        size = len(builder.build(parcel))
        print(f"{name:<34}{size:>8} B{ours:>13.1f} us{standard:>13.1f} us{standard / ours:>8.0f}x")
    files = (File("report.pdf", "application/pdf", bytes(range(256)) * 4_096),)
    with_file = microseconds(partial(builder.build, letter_of(ENGLISH, files)))
    print(f"{'English, with a file of 1 MiB':<44}{with_file:>13.1f} us")
    for name, signer in (("RSA 2048", rsa_signer()), ("Ed25519", ed25519_signer())):
        signed = microseconds(partial(MimeBuilder(SENDER, signer).build, letter_of(ENGLISH)))
        print(f"{'English, signed with ' + name:<44}{signed:>13.1f} us")


def letter_of(line: str, files: tuple[File, ...] = ()) -> EmailParcel:
    """An email of about 4 KiB in all, made of one line again and again."""
    text = line * (2_048 // len(line.encode()))
    html = ROW.format(line.strip()) * (2_048 // len(ROW.format(line).encode()))
    message = DeliveryMessage(
        notification_id=uuid4(),
        request_id="request",
        channel=Channel.EMAIL,
        user_id="user",
        template_id="order",
        accepted_at=now(),
    )
    contact = Contact(user_id=UUID(int=7), name="Ada Lovelace", preferences=Preferences())
    email = RenderedEmail(subject="Your order is on its way", text=text, html=html)
    url = f"https://{DOMAIN}/u/{'t' * 80}"
    return Parcel(message, contact, "ada@example.com", Letter(email, files), url)


def by_email_message(parcel: EmailParcel) -> bytes:
    """The same email from the standard library."""
    email = EmailMessage()
    email["From"] = SENDER
    email["To"] = f"{parcel.contact.name} <{parcel.target}>"
    email["Subject"] = parcel.content.email.subject
    email["Date"] = format_datetime(parcel.message.accepted_at)
    email["Message-ID"] = f"<{parcel.message.notification_id}@{DOMAIN}>"
    email["List-Unsubscribe"] = f"<{parcel.unsubscribe_url}>"
    email["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    email["Auto-Submitted"] = "auto-generated"
    email.set_content(parcel.content.email.text)
    email.add_alternative(parcel.content.email.html, subtype="html")
    return email.as_bytes()


def rsa_signer() -> DkimSigner:
    """A signer with a new key of 2048 bits."""
    return _signer(generate_private_key(public_exponent=65537, key_size=2048).private_bytes)


def ed25519_signer() -> DkimSigner:
    """A signer with a new Ed25519 key."""
    return _signer(Ed25519PrivateKey.generate().private_bytes)


def _signer(write: Callable[[Encoding, PrivateFormat, NoEncryption], bytes]) -> DkimSigner:
    key_pem = write(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return DkimSigner(domain=DOMAIN, selector="tidings", key_pem=key_pem)


def microseconds(work: Callable[[], object]) -> float:
    """The best time of one call."""
    timer = timeit.Timer(work)
    number, _ = timer.autorange()
    return min(timer.repeat(ROUNDS, number)) / number * 1_000_000


if __name__ == "__main__":
    main()
