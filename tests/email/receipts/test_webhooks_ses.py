"""Amazon SNS: whose certificate, whose topic, and who is asked to confirm."""

from collections.abc import Mapping
from typing import Any

import pytest

from support.signed_webhooks import TOPIC, CertificateHost, SesSender
from tidings.email.receipts.ses import SesWebhook
from tidings.email.receipts.sns import SnsVerifier
from tidings.email.receipts.webhook import Forged, Webhook
from tidings.email.return_path import ReturnPath
from tidings.kit.errors import Unavailable
from tidings.kit.ids import now
from tidings.kit.outbound import Outbound

EVENT: dict[str, Any] = {"eventType": "Send", "mail": {"timestamp": "2026-11-20T09:30:00Z"}}


async def test_both_versions_of_the_signature_are_taken(
    webhooks: Mapping[str, Webhook], certificate_host: CertificateHost
) -> None:
    """A topic signs with SHA-1 until its owner chooses SHA-256."""
    old = SesSender(f"{certificate_host.url}/old.pem", version="1")
    certificate_host.certificates["old.pem"] = old.certificate
    assert await webhooks["ses"].read(old.sign(EVENT, now())) == [None]


async def test_another_topic_is_refused(webhooks: Mapping[str, Webhook], ses: SesSender) -> None:
    """Amazon signs for every customer alike: only the configured topic is ours."""
    with pytest.raises(Forged, match="topic"):
        await webhooks["ses"].read(ses.sign(EVENT, now(), TopicArn=TOPIC + "2"))


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.eu-west-1.amazonaws.com.example.com/a.pem",
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://example.com/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com@example.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
        "https://[/a.pem",
        "",
    ],
)
async def test_certificates_come_from_amazon_only(url: str, outbound: Outbound, paths: ReturnPath) -> None:
    """Whatever host a message names, none but Amazon's is asked for the certificate."""
    webhook = SesWebhook("ses", SnsVerifier(TOPIC, outbound), paths)
    with pytest.raises(Forged, match="not Amazon SNS's"):
        await webhook.read(SesSender(url).sign(EVENT, now()))


async def test_an_expired_certificate_proves_nothing(
    webhooks: Mapping[str, Webhook], certificate_host: CertificateHost
) -> None:
    """A certificate counts while it is valid."""
    past = SesSender(f"{certificate_host.url}/past.pem")
    certificate_host.certificates["past.pem"] = past.certified(days=-1)
    with pytest.raises(Forged, match="not valid now"):
        await webhooks["ses"].read(past.sign(EVENT, now()))


async def test_a_certificate_that_cannot_be_fetched_is_no_verdict(
    webhooks: Mapping[str, Webhook], certificate_host: CertificateHost
) -> None:
    """Amazon is asked to come again when its own host does not answer."""
    with pytest.raises(Unavailable, match="503"):
        await webhooks["ses"].read(SesSender(f"{certificate_host.url}/none.pem").sign(EVENT, now()))


async def test_a_subscription_is_confirmed(
    webhooks: Mapping[str, Webhook], ses: SesSender, certificate_host: CertificateHost
) -> None:
    """The endpoint of the configured topic says yes when Amazon asks."""
    url = f"{certificate_host.url}/confirm/yes"
    asked = {"Type": "SubscriptionConfirmation", "Token": "token", "SubscribeURL": url}
    assert await webhooks["ses"].read(ses.sign(EVENT, now(), **asked)) == [None]
    assert "yes" in certificate_host.confirmed


async def test_a_stranger_confirms_nothing(
    webhooks: Mapping[str, Webhook], certificate_host: CertificateHost
) -> None:
    """An unsigned question is not answered, so that nobody makes us call addresses."""
    stranger = SesSender(f"{certificate_host.url}/ours.pem")
    url = f"{certificate_host.url}/confirm/no"
    asked = {"Type": "SubscriptionConfirmation", "Token": "token", "SubscribeURL": url}
    with pytest.raises(Forged):
        await webhooks["ses"].read(stranger.sign(EVENT, now(), **asked))
    assert "no" not in certificate_host.confirmed
