"""What the supervisor and the process it forks from say to each other, as lines of JSON."""

import msgspec


class Preparation(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A job: create what a database lacks. `passwords` are by schema; `migrated` are URLs by service.

    `server_url` leads to another database of the same server, from which this one is created
    where it is missing; None: it has to be there.
    """

    database_url: str
    server_url: str | None
    passwords: dict[str, str]
    migrated: dict[str, str]


class Seeding(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A job: store the demonstration user and the template `welcome`; the result is the user's id.

    `user_id` is that of the last start.
    """

    users_url: str
    templates_url: str
    service_secret: str
    user_id: str | None


Job = Preparation | Seeding


class StartService(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Fork a service with these variables, its output appended to the file `log`."""

    id: int
    service: str
    environment: dict[str, str]
    log: str


class RunJob(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Fork a job, its output appended to the file `log`."""

    id: int
    job: Job
    log: str


class Forked(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The request `id` runs as process `pid`."""

    id: int
    pid: int


class Result(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What came of the job `id`: a value, or words about what went wrong."""

    id: int
    value: str | None = None
    error: str | None = None


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The process of the request `id` has ended. A negative code is the signal that ended it."""

    id: int
    code: int


Request = StartService | RunJob
Event = Forked | Result | Ended
