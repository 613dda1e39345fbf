"""A rendered email sent to one address through the email service, to see it where it will be read."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tidings.client.http import RemoteProblem, RemoteUnavailable, ServiceHttp, open_session
from tidings.contracts.templates import RenderedEmail, TestEmail, TestResult
from tidings.kit.errors import Unavailable, Unprocessable

SECONDS = 8.0
"""Less than the time after which the gateway gives up on a service that says nothing."""

INVALID = "invalid_request"


class Trials:
    """Sends test emails."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    async def send(self, to: str, email: RenderedEmail) -> TestResult:
        """What the provider said.

        Raises:
            Unprocessable: the email service does not take the address.
            Unavailable: it does not answer, or refuses us.
        """
        try:
            answer = await self._http.call("POST", "/test-emails", body=TestEmail(to=to, email=email))
            return answer.read(TestResult)
        except RemoteProblem as refused:
            problem = refused.problem
            if problem.code == INVALID:
                raise Unprocessable(
                    problem.detail, code="invalid_request", errors=problem.errors
                ) from refused
            raise Unavailable(
                f"The test cannot be sent: the email service refuses this service ({problem.code}). "
                "Do both have the same TIDINGS_SERVICE_SECRET?",
                code="email_unavailable",
            ) from refused
        except RemoteUnavailable as error:
            raise Unavailable(
                "The email service does not answer now; it may have sent the test all the same",
                code="email_unavailable",
            ) from error


@asynccontextmanager
async def open_trials(email_url: str | None, credential: Callable[[], str]) -> AsyncIterator[Trials | None]:
    """What sends test emails; None where no email service is named."""
    if email_url is None:
        yield None
        return
    async with open_session() as session:
        yield Trials(ServiceHttp(session, email_url, credential, seconds=SECONDS))
