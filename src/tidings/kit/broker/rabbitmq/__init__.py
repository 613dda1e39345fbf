"""The broker port on RabbitMQ (3.10 to 4.x): quorum queues, publisher confirms, waiting tiers."""
