"""One rendered email to one address, at once: how a template is tried out before anyone else sees it."""

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from tidings.contracts.codes import Channel
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import TestEmail, TestResult
from tidings.contracts.users import Contact, Preferences
from tidings.delivery.channel import Parcel
from tidings.delivery.outcome import Taken
from tidings.email.channel import EmailChannel
from tidings.kit.auth import requires
from tidings.kit.ids import new_id, now


@post("/test-emails", guards=[requires("emails:test")], status_code=200, include_in_schema=False)
async def send_test_email(data: JSONBody[TestEmail], channel: NamedDependency[EmailChannel]) -> TestResult:
    """For the template service: hand an email to the provider, past every queue, ledger and preference."""
    trial = new_id()
    message = DeliveryMessage(
        notification_id=trial,
        request_id=f"test-{trial}",
        channel=Channel.EMAIL,
        user_id=str(trial),
        template_id="test",
        accepted_at=now(),
    )
    nobody = Contact(user_id=trial, email=data.to, preferences=Preferences())
    answer = await channel.provider.send(Parcel(message, nobody, data.to, data.email), _nothing_to_claim)
    return TestResult(sent=isinstance(answer, Taken), provider=answer.provider, detail=answer.detail)


async def _nothing_to_claim() -> None:
    """A test is sent once, by whoever asked, and may be repeated."""
