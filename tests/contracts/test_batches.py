"""Batches speak of notifications as single requests do."""

import msgspec

from tidings.contracts.batches import BatchDefaults
from tidings.contracts.notifications import NewNotification


def test_all_but_the_keys_can_be_shared() -> None:
    """Whatever a notification has can be a default of a batch, except what tells one from another."""
    shared = {field.name for field in msgspec.structs.fields(BatchDefaults)}
    single = {field.name for field in msgspec.structs.fields(NewNotification)}
    assert shared == single - {"request_id", "dedupe_key"}
