"""Taking a notification: check it, make it safe to repeat, commit it. After that it cannot be lost."""

import re
from collections.abc import Sequence
from hashlib import sha256

import msgspec
import structlog
from cachetools import TTLCache
from prometheus_client import Counter
from structlog.contextvars import bind_contextvars

from tidings.client.http import RemoteProblem, RemoteUnavailable
from tidings.client.templates import TemplatesClient
from tidings.client.users import UsersClient
from tidings.contracts.codes import Status
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.notifications import Accepted, NewNotification
from tidings.contracts.templates import CompiledTemplate
from tidings.gateway.dispatch import Dispatcher
from tidings.gateway.store import Dispatch, GatewayStore, Receipt, Submission
from tidings.kit.auth import Principal
from tidings.kit.batching import Batcher
from tidings.kit.errors import FieldFault, Unprocessable
from tidings.kit.ids import new_id, now
from tidings.kit.telemetry import trace_headers
from tidings.rendering.variables import check_variables

KNOWN_USER_SECONDS = 60

ACCEPTED = Counter("tidings_accepted_total", "Notifications committed", ["channel"])
REPLAYED = Counter("tidings_replayed_total", "Requests answered from an earlier one")

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")

log = structlog.get_logger(__name__)


class Acceptance:
    """The accept path. Concurrent requests share one transaction."""

    def __init__(
        self,
        store: GatewayStore,
        dispatcher: Dispatcher,
        users: UsersClient,
        templates: TemplatesClient,
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._users = users
        self._templates = templates
        self._known_users: TTLCache[str, bool] = TTLCache(100_000, KNOWN_USER_SECONDS)
        self._commits: Batcher[Submission, Receipt] = Batcher(self._commit)

    async def accept(
        self, request: NewNotification, idempotency_key: str | None, caller: Principal
    ) -> tuple[Accepted, bool]:
        """Commit a notification; the second value says whether an earlier request had done so.

        Raises:
            Unprocessable: it could never be delivered, or its key was used for another request.
            Unavailable: the database does not answer; nothing was taken.
        """
        key = idempotency_key or request.request_id
        if key is None:
            raise Unprocessable(
                "Give a request_id, or an Idempotency-Key header: it makes the request safe to repeat",
                code="missing_request_id",
                errors=[FieldFault(field="$.request_id", message="Required without an Idempotency-Key")],
            )
        fingerprint = _fingerprint(request, key)
        receipt = await self._take(request, key, fingerprint, caller)
        bind_contextvars(notification_id=str(receipt.notification_id))
        if receipt.fingerprint != fingerprint:
            raise Unprocessable(
                f"The key {key!r} was used for another request within the last 24 hours; "
                f"it became notification {receipt.notification_id}. Use a new key for a new notification",
                code="idempotency_key_reused",
            )
        if not receipt.fresh:
            REPLAYED.inc()
        return (
            Accepted(
                id=receipt.notification_id,
                request_id=receipt.request_id,
                status=Status.ACCEPTED,
                accepted_at=receipt.accepted_at,
            ),
            not receipt.fresh,
        )

    async def _take(
        self, request: NewNotification, key: str, fingerprint: bytes, caller: Principal
    ) -> Receipt:
        try:
            version = await self._check(request)
        except Unprocessable:
            # What was taken stays taken for who repeats it, though its template or the time moved on.
            earlier = await self._store.receipt(caller.owner, key)
            if earlier is None:
                raise
            return earlier
        submission = _submission(request, key, fingerprint, version, caller)
        return await self._commits.submit(submission)

    async def _check(self, request: NewNotification) -> int | None:
        """Refuse what could never be delivered; answers the template version to pin.

        A service that does not answer refuses nothing: the worker checks again.
        """
        if request.expires_at is not None and request.expires_at.tzinfo is None:
            raise _unprocessable(
                "naive_time", "$.expires_at", "Give a UTC offset, such as 2026-01-31T12:00:00Z"
            )
        if request.expires_at is not None and request.expires_at <= now():
            raise _unprocessable("already_expired", "$.expires_at", "This moment has passed")
        await self._check_user(request.user_id)
        try:
            template = await self._templates.newest(request.template_id)
        except (RemoteUnavailable, RemoteProblem) as error:
            log.warning("accepted_unchecked", what="template", error=str(error))
            return None
        if template is None:
            words = f"There is no template {request.template_id!r}"
            raise _unprocessable("unknown_template", "$.template_id", words)
        _check_variables(request, template)
        return template.version

    async def _check_user(self, user_id: str) -> None:
        if user_id in self._known_users:
            return
        try:
            contact = await self._users.contact(user_id)
        except (RemoteUnavailable, RemoteProblem) as error:
            log.warning("accepted_unchecked", what="user", error=str(error))
            return
        if contact is None:
            raise _unprocessable("unknown_user", "$.user_id", f"There is no user {user_id!r}")
        self._known_users[user_id] = True

    async def _commit(self, batch: list[Submission]) -> Sequence[Receipt]:
        # Two requests with one key may meet in a batch: the first is committed, the others hear of it.
        first: dict[tuple[str, str], Submission] = {}
        for one in batch:
            first.setdefault((one.owner, one.key), one)
        receipts = await self._store.accept(list(first.values()))
        by_key = dict(zip(first, receipts, strict=True))
        answers = []
        for one in batch:
            receipt = by_key[one.owner, one.key]
            fresh = receipt.fresh and first[one.owner, one.key] is one
            if fresh:
                self._hand_over(one)
            answers.append(receipt if fresh == receipt.fresh else _as_replay(receipt))
        return answers

    def _hand_over(self, one: Submission) -> None:
        message = one.message
        ACCEPTED.labels(message.channel).inc()
        self._dispatcher.hand_over(Dispatch(message.notification_id, message.channel, one.body, one.headers))


def _submission(
    request: NewNotification, key: str, fingerprint: bytes, version: int | None, caller: Principal
) -> Submission:
    message = DeliveryMessage(
        notification_id=new_id(),
        request_id=request.request_id or key,
        channel=request.channel,
        user_id=request.user_id,
        template_id=request.template_id,
        template_version=version,
        variables=request.variables,
        locale=request.locale,
        priority=request.priority,
        metadata=request.metadata,
        accepted_at=now(),
        expires_at=request.expires_at,
    )
    return Submission(message, msgspec.json.encode(message), caller.owner, key, fingerprint, trace_headers())


def _fingerprint(request: NewNotification, key: str) -> bytes:
    """Equal for requests that differ only in the order of members and in white space."""
    encoded = msgspec.json.encode(request, order="deterministic")
    if "\0" in key or _NUL.search(encoded):
        words = "The character U+0000 is in it, which cannot be stored"
        raise Unprocessable(words, code="invalid_request")
    return sha256(encoded).digest()


def _check_variables(request: NewNotification, template: CompiledTemplate) -> None:
    if template.archived:
        words = f"The template {template.id} is archived; restore it, or use another one"
        raise _unprocessable("archived_template", "$.template_id", words)
    needed = template.variables.get(request.channel)
    if needed is None:
        words = f"Version {template.version} of {template.id} has no {request.channel} form"
        raise _unprocessable("template_lacks_channel", "$.channel", words)
    missing = [name for name in needed if name not in request.variables]
    if missing:
        raise Unprocessable(
            f"Version {template.version} of {template.id} needs values for: {', '.join(missing)}",
            code="missing_variable",
            errors=[
                FieldFault(field=f"$.variables.{name}", message="This value is missing") for name in missing
            ],
        )
    faults = check_variables(template.schema, request.variables) if template.schema is not None else []
    if faults:
        raise Unprocessable(
            f"The variables do not fit version {template.version} of {template.id}: "
            + "; ".join(f"{fault.path}: {fault.message}" for fault in faults),
            code="invalid_variables",
            errors=[FieldFault(field=fault.path, message=fault.message) for fault in faults],
        )


def _as_replay(receipt: Receipt) -> Receipt:
    return Receipt(
        receipt.notification_id, receipt.request_id, receipt.accepted_at, receipt.fingerprint, fresh=False
    )


def _unprocessable(code: str, field: str, words: str) -> Unprocessable:
    return Unprocessable(words, code=code, errors=[FieldFault(field=field, message=words)])
