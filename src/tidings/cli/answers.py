"""What a gateway's refusals, and its silence, mean to a person at a terminal."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from tidings.cli.errors import CannotContinue
from tidings.client.http import RemoteProblem, RemoteUnavailable


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Calls to the gateway at `url`.

    Raises:
        CannotContinue: it refuses, or does not answer.
    """
    # The client logs its retries, and here the outcome is all that matters.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    except RemoteProblem as error:
        problem = error.problem
        faults = "".join(f"\n  {fault.field}: {fault.message}" for fault in problem.errors)
        raise CannotContinue(f"{problem.detail} ({problem.code}){faults}") from error
    except RemoteUnavailable as error:
        if isinstance(error.__cause__, OSError):
            raise CannotContinue(
                f"Nothing answers at {url}. Start it with `tidings up`, or name another with --url."
            ) from error
        raise CannotContinue(str(error)) from error
