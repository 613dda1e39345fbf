"""The people and devices that the OpenAPI description shows."""

from datetime import UTC, datetime
from uuid import UUID

from tidings.contracts.users import (
    Category,
    Contact,
    ContactQuery,
    Contacts,
    ImportCounts,
    ImportEvent,
    NewPushToken,
    NewUser,
    Preferences,
    PushToken,
    User,
    UserExport,
    UserPatch,
    Users,
)

_ID = UUID("01990c3e-5d34-7f6e-8f50-1c3d7d1d2f5a")
_AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)

NEW_ADA = NewUser(
    external_id="customer-4711",
    name="Ada Lovelace",
    email="ada@example.com",
    locale="pt-BR",
    time_zone="Europe/Lisbon",
    attributes={"plan": "gold"},
)
MOVED = UserPatch(time_zone="America/Sao_Paulo", attributes={"plan": "silver"})
NEW_DEVICE = NewPushToken(provider="fcm", token="fGx3:APA91bExample", platform="android")  # noqa: S106 - no secret
DEVICE = PushToken(
    id=UUID("01990c3e-6a10-7b21-9c44-02f6b1a3c5d7"),
    provider="fcm",
    token="fGx3:APA91bExample",  # noqa: S106 - the same
    platform="android",
    created_at=_AT,
    last_seen=_AT,
)
ADA = User(
    id=_ID,
    external_id=NEW_ADA.external_id,
    name=NEW_ADA.name,
    email=NEW_ADA.email,
    locale=NEW_ADA.locale,
    time_zone=NEW_ADA.time_zone,
    attributes=NEW_ADA.attributes,
    preferences=Preferences(),
    tokens=[DEVICE],
    created_at=_AT,
    updated_at=_AT,
)
PEOPLE = Users(users=[ADA])
EVERYTHING = UserExport(user=ADA, exported_at=_AT)
CONTACT = Contact(
    user_id=_ID, email=ADA.email, name=ADA.name, locale=ADA.locale, preferences=Preferences(), tokens=[DEVICE]
)
QUERY = ContactQuery(user_ids=[str(_ID)])
CONTACTS = Contacts(
    contacts={str(_ID): CONTACT},
    categories={"marketing": Category(id="marketing", name="News and offers")},
)
NDJSON = """{"external_id": "customer-4711", "name": "Ada Lovelace", "email": "ada@example.com"}
{"external_id": "customer-4712", "time_zone": "Mars/Olympus"}
"""
CSV = """external_id,email,attributes.plan
customer-4711,ada@example.com,gold
"""
IMPORT_ANSWER = ImportEvent(summary=ImportCounts(lines=2, created=1, failed=1))
