"""Running one service in this process."""

import importlib
import sys
from collections.abc import Callable

from tidings.kit.settings import SettingsError

EXIT_SETTINGS = 2


def run_service(service: str) -> None:
    """Run one service, configured by the environment, until SIGTERM.

    Wrong settings are told on stderr and end the process with code 2.
    """
    main: Callable[[], None] = importlib.import_module(f"tidings.{service}.app").main
    try:
        main()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_SETTINGS)
