"""Message broker: one small port, an adapter per engine, chosen by the URL's scheme."""

from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

from tidings.kit.broker.port import Broker, Topology

PUBLISH_LIMIT = 5.0
"""Seconds that a publish may take, with reconnecting, before it raises `BrokerUnavailable`."""


def open_broker(
    url: str, topology: Topology, *, publish_limit: float = PUBLISH_LIMIT
) -> AbstractAsyncContextManager[Broker]:
    """The broker at `url`: `amqp://` or `amqps://` for RabbitMQ, `postgresql://` for PostgreSQL.

    Opening never waits for the broker: it connects, and declares the topology, when first used.
    Leaving the context stops its consumers at once, so stop them before with a limit of their own.

    Raises:
        ValueError: the scheme is none of those.
    """
    # Each engine's client is megabytes of memory, so only the chosen one is imported.
    match urlsplit(url).scheme:
        case "amqp" | "amqps":
            from tidings.kit.broker.rabbitmq.broker import open_rabbitmq  # noqa: PLC0415 - see above

            return open_rabbitmq(url, topology, publish_limit)
        case "postgresql" | "postgres":
            from tidings.kit.broker.postgres.broker import open_postgres  # noqa: PLC0415 - see above

            return open_postgres(url, topology, publish_limit)
        case scheme:
            raise ValueError(
                f"no broker speaks {scheme!r}: the URL must start with amqp://, amqps:// or postgresql://"
            )
