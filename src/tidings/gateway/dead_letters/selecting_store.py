"""Dead letters as statements select them: with their provider and group, by a filter."""

from datetime import datetime

from tidings.contracts.dead_letters import DeadLetterFilter
from tidings.kit.moments import storable_time

# A worker reports its attempts apart from the letter, so the provider is found when it is asked for.
# What a statement does not use of this, PostgreSQL does not compute.
LETTERS = """
(
    select *, left(
            md5(concat_ws(chr(31), reason, coalesce(provider, ''), coalesce(template_id, ''), cause)), 12
        ) as "group"
    from (
        select d.*, n.owner, n.status, coalesce((n.message ->> 'sandbox')::boolean, false) as sandbox,
            (select e.provider from events e
             where e.notification_id = d.notification_id and e.provider is not null
             order by e.attempt desc, e.at desc limit 1) as provider
        from dead_letters d left join notifications n on n.id = d.notification_id
    ) as with_provider
) as letters
"""
_CONDITIONS = {
    "ids": "id = any({}::uuid[])",
    "group": '"group" = {}',
    "reason": "reason = {}",
    "channel": "channel = {}",
    "template_id": "template_id = {}",
    "provider": "provider = {}",
    "user_id": "user_id = {}",
    "since": "recorded_at >= {}",
    "until": "recorded_at < {}",
    "replayed": "(cardinality(replayed_as) > 0) = {}",
}


def conditions(wanted: DeadLetterFilter, *, only_tests: bool, first: int = 1) -> tuple[str, list[object]]:
    """The conditions of a filter, only those that are asked for, and their values from `$first` on.

    `only_tests`: and only of notifications that were sent with test keys.

    Raises:
        Unprocessable: a time has no UTC offset, or PostgreSQL has no such time.
    """
    given = {name: getattr(wanted, name) for name in _CONDITIONS if getattr(wanted, name) is not None}
    texts = [_CONDITIONS[name].format(f"${number}") for number, name in enumerate(given, start=first)]
    texts += ["sandbox"] if only_tests else []
    return " and ".join(["true", *texts]), [_value(name, value) for name, value in given.items()]


def _value(name: str, value: object) -> object:
    return storable_time(name, value) if isinstance(value, datetime) else value
