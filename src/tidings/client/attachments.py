"""Client of the gateway for files that came inside requests."""

from uuid import UUID

from tidings.client.http import ServiceHttp


class AttachmentsClient:
    """Reads attachments by the ids that messages carry. The token needs the scope `attachments:read`."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    async def fetch(self, attachment_id: UUID) -> bytes:
        """A file's bytes, at most 10 MiB; asked for up to three times.

        Raises:
            RemoteProblem: `unknown_attachment`: its notification was deleted.
            RemoteUnavailable: the gateway does not answer.
        """
        answer = await self._http.call("GET", f"/v1/attachments/{attachment_id}", attempts=3)
        return answer.body
