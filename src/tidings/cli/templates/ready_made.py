"""The templates that come with Tidings, in the format of a folder of one's own."""

from importlib.resources import as_file, files

from tidings.cli.templates.faults import Faulty
from tidings.cli.templates.folder import Contents, Folder


def ready_made() -> Contents:
    """All of them, with their partials.

    Raises:
        Faulty: the installation is damaged.
    """
    with as_file(files("tidings.templates") / "ready_made") as root:
        contents = Folder(root).read()
    if contents.faults:
        raise Faulty(*contents.faults)
    return contents
