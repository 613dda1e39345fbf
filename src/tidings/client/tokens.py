"""Client of the public API for access tokens: API keys exchanged for something that lives shorter."""

from tidings.client.http import ServiceHttp
from tidings.contracts.keys import AccessToken, NewAccessToken, VerificationKey, VerificationKeys

PATH = "/v1/tokens"


class TokensClient:
    """Access tokens. Every method may raise `RemoteProblem` and `RemoteUnavailable`."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    async def exchange(self, token: NewAccessToken | None = None) -> AccessToken:
        """A token for places where the API key should not be; 15 minutes with all that the key may."""
        answer = await self._http.call("POST", PATH, body=token or NewAccessToken(), attempts=3)
        return answer.read(AccessToken)

    async def rotate_keys(self) -> VerificationKey:
        """Sign tokens with a new key from now on. Those that were signed before stay good."""
        return (await self._http.once("POST", f"{PATH}/rotate-keys")).read(VerificationKey)

    async def public_keys(self) -> VerificationKeys:
        """The keys that prove tokens; read them again when a token names one that is not among them."""
        return await self._http.read(VerificationKeys, "/.well-known/jwks.json")
