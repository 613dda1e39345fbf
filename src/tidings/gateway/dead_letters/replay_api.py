"""The HTTP side of replay jobs: begin one, watch it, stop it."""

import msgspec
from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from tidings.contracts.dead_letters import NewReplayJob, ReplayJob, ReplayPlan
from tidings.gateway.dead_letters import examples
from tidings.gateway.dead_letters.api import INVALID, READ, TAGS, WRITE, Caller
from tidings.gateway.dead_letters.asking import job_id_of, unknown_job
from tidings.gateway.dead_letters.replay_store import ReplayStore
from tidings.gateway.dead_letters.working import ReplayWorker
from tidings.kit.auth import Principal
from tidings.kit.errors import Conflict
from tidings.kit.examples import example_of
from tidings.kit.problems import refusals

Replays = NamedDependency[ReplayStore]
UNKNOWN = "`unknown_replay`"


@post(
    "/v1/dead-letters/replays",
    guards=WRITE,
    tags=TAGS,
    status_code=202,
    summary="Send many dead letters again, at a rate",
    operation_class=example_of(request=examples.NEW_JOB),
    responses={
        200: ResponseSpec(
            ReplayPlan,
            description="What it would do (`dry_run`)",
            examples=[Example(value=msgspec.to_builtins(examples.PLAN))],
        ),
        202: ResponseSpec(
            ReplayJob,
            description="It has begun",
            examples=[Example(value=msgspec.to_builtins(examples.JOB))],
        ),
        **refusals({422: INVALID, 503: "`database_unavailable`"}),
    },
)
async def start_replays(
    data: JSONBody[NewReplayJob],
    request: Caller,
    replays: Replays,
    replay_worker: NamedDependency[ReplayWorker],
) -> Response[ReplayJob | ReplayPlan]:
    """Begins a job with the dead letters that match at this moment; the gateways work on it.

    None is replayed twice, whatever is killed: what was replayed before is skipped unless `again`, and
    a job replays each of its dead letters once at most.
    """
    if data.dry_run:
        return Response(await replays.plan(data, sandbox=request.user.sandbox), status_code=200)
    job_id = await replays.start(data, actor=request.user.owner, sandbox=request.user.sandbox)
    replay_worker.wake()
    return Response(
        await _job(replays, str(job_id), request.user),
        status_code=202,
        headers={"Location": f"/v1/dead-letters/replays/{job_id}"},
    )


@get(
    "/v1/dead-letters/replays/{job_id:str}",
    guards=READ,
    tags=TAGS,
    summary="How far a replay job has come",
    operation_class=example_of(answer=examples.JOB),
    responses=refusals({404: UNKNOWN, 503: "`database_unavailable`"}),
)
async def read_replays(job_id: FromPath[str], request: Caller, replays: Replays) -> ReplayJob:
    """Counts of what was replayed, skipped (by reason), and remains."""
    return await _job(replays, job_id, request.user)


@delete(
    "/v1/dead-letters/replays/{job_id:str}",
    guards=WRITE,
    tags=TAGS,
    status_code=200,
    summary="Stop a replay job",
    operation_class=example_of(answer=examples.CANCELLED),
    responses=refusals({404: UNKNOWN, 409: "`replay_over`", 503: "`database_unavailable`"}),
)
async def cancel_replays(job_id: FromPath[str], request: Caller, replays: Replays) -> ReplayJob:
    """Stops it for good: once this is answered, it replays nothing more. What it has replayed stays so."""
    job = await _job(replays, job_id, request.user)
    if not await replays.cancel(job.id, actor=request.user.owner):
        raise Conflict(f"The replay job {job_id} was over already", code="replay_over")
    return await _job(replays, job_id, request.user)


async def _job(replays: ReplayStore, text: str, caller: Principal) -> ReplayJob:
    job = await replays.job(job_id_of(text), only_tests=caller.sandbox)
    if job is None:
        raise unknown_job(text)
    return job


ROUTES: list[ControllerRouterHandler] = [start_replays, read_replays, cancel_replays]
