"""Short work that needs libraries the supervisor does without."""

from tidings.cli.errors import CannotContinue
from tidings.cli.forking.messages import Job, Preparation, Result
from tidings.cli.provision import prepare
from tidings.cli.seed import ensure_seeded


async def run_job(number: int, job: Job) -> Result:
    """Do the job. What it cannot do is in the result, in words for people."""
    try:
        if isinstance(job, Preparation):
            await prepare(job)
            return Result(id=number)
        return Result(id=number, value=await ensure_seeded(job))
    except CannotContinue as error:
        return Result(id=number, error=str(error)[:2000])
