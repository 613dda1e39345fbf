"""Finding the servers inside their wheels, without importing the clients that come along."""

from importlib.util import find_spec
from pathlib import Path

from tidings.cli.errors import CannotContinue


def find_in_wheel(package: str, pattern: str) -> Path:
    """The newest path in an installed package that matches the glob `pattern`.

    Raises:
        CannotContinue: this installation lacks it, as on a platform that has no such wheel.
    """
    spec = find_spec(package)
    roots = spec.submodule_search_locations if spec else None
    found = sorted(path for root in roots or () for path in Path(root).glob(pattern))
    if not found:
        raise CannotContinue(
            f"The package {package} is not installed here or holds no {pattern} for this platform. "
            "Name running servers instead: --database postgresql://… --cache redis://…"
        )
    return found[-1]
