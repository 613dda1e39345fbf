"""One rendered email to one address, at once: how a template is tried out before anyone else sees it."""

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from tidings.contracts.codes import Channel, WhenAmbiguous
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import TestEmail, TestResult
from tidings.contracts.tracing import Trace
from tidings.contracts.users import Contact, Preferences
from tidings.delivery.channel import Parcel, Provider
from tidings.delivery.outcome import Held, Taken
from tidings.delivery.worker import Works
from tidings.email.letter import Letter
from tidings.kit.auth import requires
from tidings.kit.ids import new_id, now


@post("/test-emails", guards=[requires("emails:test")], status_code=200, include_in_schema=False)
async def send_test_email(data: JSONBody[TestEmail], works: NamedDependency[Works]) -> TestResult:
    """For the template service: hand an email to a provider, past every queue, ledger and preference."""
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
    parcel = Parcel(message, nobody, data.to, Letter(data.email))
    answer = await works.chain.send(
        parcel, _nothing_to_claim, trace=Trace(), when_ambiguous=WhenAmbiguous.GIVE_UP
    )
    provider = "none" if isinstance(answer, Held) else answer.provider
    return TestResult(sent=isinstance(answer, Taken), provider=provider, detail=answer.detail)


async def _nothing_to_claim(_provider: Provider[Letter, str]) -> None:
    """A test is sent once, by whoever asked, and may be repeated."""
