"""`tidings templates lint`: what a server would refuse, and what is probably not meant, found here."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

from tidings.cli.templates.faults import Faulty, FileFault
from tidings.cli.templates.folder import Contents, Folder
from tidings.cli.templates.local import LocalTemplate, fault_of
from tidings.cli.templates.names import ABOUT
from tidings.cli.templates.places import line_named_in
from tidings.cli.templates.showing import Printer
from tidings.contracts.codes import Channel
from tidings.kit.errors import Unprocessable
from tidings.templates.checking import check_partial


def lint(root: Path, only: Sequence[str]) -> bool:
    """Print every fault and warning; returns whether there is no fault.

    Raises:
        CannotContinue: the folder, or a template named, is not there.
    """
    printer, contents = Printer(), Folder(root).read(only)
    faults, warnings = [*contents.faults, *_broken_partials(contents)], list[FileFault]()
    with printer.progress("checking", len(contents.templates)) as advance:
        for template_id in contents.templates:
            try:
                template = asyncio.run(LocalTemplate.compile(template_id, contents))
                warnings += dict.fromkeys([*_missing(template), *_tried(template)])
            except Faulty as found:
                faults += dict.fromkeys(found.faults)
            advance()
    printer.faults(faults)
    for warning in warnings:
        printer.remark(str(warning))
    printer.say(f"{len(contents.files)} templates, {len(faults)} faults, {len(warnings)} warnings")
    return not faults


def _broken_partials(contents: Contents) -> Iterator[FileFault]:
    for name, source in contents.partials.items():
        try:
            check_partial(source)
        except Unprocessable as error:
            for fault in error.errors:
                line = line_named_in(fault.message)
                yield FileFault(contents.partial_files[name], fault.message, line)


def _tried(template: LocalTemplate) -> Iterator[FileFault]:
    """What shows when every language is rendered with the sample."""
    required = {name for names in template.compiled.variables.values() for name in names}
    if required and not template.content.sample:
        words = f"has no sample, so it was not rendered; give values for {', '.join(sorted(required))}"
        yield FileFault(f"{template.id}/{ABOUT}", words)
        return
    for locale in template.content.content:
        for warning in template.render(locale).warnings:
            path = warning.field.replace("$.variables", "$.sample", 1)
            yield fault_of(template, path, f"{warning.message} ({warning.code})")


def _missing(template: LocalTemplate) -> Iterator[FileFault]:
    """Languages that one channel speaks and another does not: their readers get the default's words."""
    spoken = template.content.content
    for channel in Channel:
        said = {locale for locale, local in spoken.items() if getattr(local, channel) is not None}
        lacking = [locale for locale in spoken if not said.intersection(_with_parents(locale))]
        if said and lacking:
            words = f"the {channel} is missing in {', '.join(lacking)}, which the others have"
            yield FileFault(f"{template.id}/{ABOUT}", words)


def _with_parents(locale: str) -> set[str]:
    parts = locale.split("-")
    return {"-".join(parts[:length]) for length in range(1, len(parts) + 1)}
