"""What a dead letter carries, beside the message itself."""

from tidings.kit.broker.port import DeadLetter, Delivery

REASON = "x-reason"
DETAIL = "x-detail"
QUEUE = "x-queue"

HANDOUT_LIMIT = 20
"""Hand-outs without a settlement (killed consumers) before a message is taken for their cause."""

_DETAIL_LENGTH = 2000  # AMQP headers must fit one frame of 128 KiB, all together


def dead_letter_headers(delivery: Delivery, why: DeadLetter) -> dict[str, str]:
    """The message's own headers, with the reason, the detail and the queue that it failed in."""
    # A detail often quotes a foreign server, and invalid Unicode must not keep the letter from its queue.
    detail = why.detail[:_DETAIL_LENGTH].encode(errors="replace").decode()
    return {**delivery.message.headers, REASON: why.reason, DETAIL: detail, QUEUE: delivery.queue}


def handed_out_too_often() -> DeadLetter:
    """For a message whose consumers keep dying."""
    return DeadLetter("delivery_limit", f"handed out {HANDOUT_LIMIT} times without being settled")
