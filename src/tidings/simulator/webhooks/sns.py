"""Amazon SNS: signed messages to a subscribed address, and the pages that its messages point to.

https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html and
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import secrets
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID, uuid4

import msgspec
from litestar import Response, Router, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from tidings.kit.ids import now
from tidings.simulator.webhooks.events import zulu
from tidings.simulator.webhooks.keys import SigningKeys
from tidings.simulator.webhooks.posting import Posting

_XMLNS = "http://sns.amazonaws.com/doc/2010-03-31/"
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


class Sns:
    """The topics with a subscription, each confirmed or not. `own_url` is the simulator's address."""

    def __init__(self, own_url: str, keys: SigningKeys) -> None:
        self._own_url = own_url
        self._keys = keys
        self._tokens: dict[str, str] = {}
        self._confirmed: set[str] = set()

    @property
    def certificate_url(self) -> str:
        """Where the certificate is that checks signatures."""
        return f"{self._own_url}/sns/certificate.pem"

    def subscribe(self, topic_arn: str) -> Posting:
        """A new subscription, and the message that asks for its confirmation."""
        token = secrets.token_hex(64)
        self._tokens = {token: topic_arn}
        self._confirmed.discard(topic_arn)
        query = urlencode({"Action": "ConfirmSubscription", "TopicArn": topic_arn, "Token": token})
        message = {
            "Type": "SubscriptionConfirmation",
            "MessageId": str(uuid4()),
            "Token": token,
            "TopicArn": topic_arn,
            "Message": f"You have chosen to subscribe to the topic {topic_arn}.\n"
            "To confirm the subscription, visit the SubscribeURL included in this message.",
            "SubscribeURL": f"{self._own_url}/sns/?{query}",
        }
        return self._posting(message, _CONFIRMATION)

    def confirm(self, topic_arn: str, token: str) -> bool:
        """Whether the token belongs to the topic; from then on its notifications go out."""
        if self._tokens.get(token) != topic_arn:
            return False
        self._confirmed.add(topic_arn)
        return True

    def is_confirmed(self, topic_arn: str) -> bool:
        """Whether notifications go out."""
        return topic_arn in self._confirmed

    def notify(self, topic_arn: str, message_id: UUID, content: object) -> Posting:
        """A notification whose message is `content` in JSON."""
        message = {
            "Type": "Notification",
            "MessageId": str(message_id),
            "TopicArn": topic_arn,
            "Subject": "Amazon SES Email Event Notification",
            "Message": msgspec.json.encode(content).decode(),
            "UnsubscribeURL": f"{self._own_url}/sns/?Action=Unsubscribe&SubscriptionArn={topic_arn}:1",
        }
        return self._posting(message, _NOTIFICATION)

    def _posting(self, message: Mapping[str, str], signed: tuple[str, ...]) -> Posting:
        whole = {**message, "Timestamp": zulu(now())}
        to_sign = "".join(f"{name}\n{whole[name]}\n" for name in signed)
        whole |= {
            "SignatureVersion": "2",
            "Signature": self._keys.sign_rsa(to_sign.encode()),
            "SigningCertURL": self.certificate_url,
        }
        headers = {
            "x-amz-sns-message-type": whole["Type"],
            "x-amz-sns-message-id": whole["MessageId"],
            "x-amz-sns-topic-arn": whole["TopicArn"],
            # SNS says so although the body is JSON.
            "Content-Type": "text/plain; charset=UTF-8",
            "User-Agent": "Amazon Simple Notification Service Agent",
        }
        return Posting(msgspec.json.encode(whole), headers)


def sns_routes() -> Router:
    """The certificate, and the address that confirms a subscription."""
    return Router(path="/sns", route_handlers=[certificate, confirm], tags=["ses"], security=[{}])


@get("/certificate.pem", summary="SNS: the certificate that checks signatures")
async def certificate(signing_keys: NamedDependency[SigningKeys]) -> Response[bytes]:
    """The certificate in PEM."""
    return Response(signing_keys.certificate, media_type="application/x-pem-file")


@get("/", summary="SNS: confirm a subscription")
async def confirm(
    sns: NamedDependency[Sns],
    action: Annotated[str, QueryParameter(name="Action")] = "",
    topic_arn: Annotated[str, QueryParameter(name="TopicArn")] = "",
    token: Annotated[str, QueryParameter(name="Token")] = "",
) -> Response[str]:
    """ConfirmSubscription, as the SubscribeURL of the confirmation asks for it."""
    if action != "ConfirmSubscription" or not sns.confirm(topic_arn, token):
        return _xml(400, "<ErrorResponse", "<Error><Code>InvalidParameter</Code></Error></ErrorResponse>")
    result = f"<SubscriptionArn>{topic_arn}:{uuid4()}</SubscriptionArn>"
    end = f"<ConfirmSubscriptionResult>{result}</ConfirmSubscriptionResult></ConfirmSubscriptionResponse>"
    return _xml(200, "<ConfirmSubscriptionResponse", end)


def _xml(status: int, start: str, rest: str) -> Response[str]:
    return Response(f'{start} xmlns="{_XMLNS}">{rest}', status_code=status, media_type="text/xml")
