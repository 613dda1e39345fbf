"""`tidings templates render`: a template filled in, printed or written to files."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from tidings.cli.answers import explained
from tidings.cli.errors import CannotContinue
from tidings.cli.target import Target
from tidings.cli.templates.faults import Faulty
from tidings.cli.templates.folder import Folder
from tidings.cli.templates.local import LocalTemplate
from tidings.cli.templates.showing import Printer
from tidings.client.authoring import AuthoringClient
from tidings.contracts.templates import Rendered, RenderRequest


async def from_server(
    target: Target, template_id: str, request: RenderRequest, variables: Mapping[str, str]
) -> Rendered:
    """What the server would send; `variables` go before the sample's.

    Raises:
        CannotContinue: refused, or no answer.
    """
    with explained(target.url):
        async with AuthoringClient.open(target.url, target.api_key) as authoring:
            if variables:
                found = await authoring.template(template_id, version=request.version, draft=request.draft)
                sample = found.value.sample if found else {}
                request = msgspec.structs.replace(request, variables={**sample, **variables})
            return await authoring.render(template_id, request)


def from_files(root: Path, template_id: str, locale: str | None, variables: Mapping[str, str]) -> Rendered:
    """What the files say, without a server.

    Raises:
        CannotContinue: they are faulty, or the variables do not fit.
    """
    contents = Folder(root).read([template_id])
    faults = contents.faults
    if not faults:
        try:
            return asyncio.run(LocalTemplate.compile(template_id, contents)).render(locale, variables)
        except Faulty as found:
            faults = list(found.faults)
    raise CannotContinue("\n".join(map(str, faults)))


def deliver(rendered: Rendered, *, show: str, output: Path | None) -> None:
    """Print what was asked for, or write all of it; warnings go to stderr."""
    printer = Printer()
    for warning in rendered.warnings:
        printer.remark(f"{warning.field}: {warning.message} ({warning.code})")
    if output is not None:
        for path, text in _files(rendered).items():
            _write(output / path, text)
            printer.say(str(output / path))
        return
    parts = _parts(rendered)
    wanted = {"subject", "text", "push"} & parts.keys() if show == "all" else {show}
    if not wanted <= parts.keys():
        raise CannotContinue(f"{rendered.template_id} has no {show} in this language.")
    click.echo("\n\n".join(text.rstrip("\n") for name, text in parts.items() if name in wanted))


def _parts(rendered: Rendered) -> dict[str, str]:
    parts: dict[str, str | None] = {}
    if rendered.email:
        parts = {
            "subject": rendered.email.subject,
            "text": rendered.email.text,
            "html": rendered.email.html,
        }
    if rendered.push:
        parts["push"] = msgspec.json.format(msgspec.json.encode(rendered.push)).decode()
    return {name: text for name, text in parts.items() if text is not None}


def _files(rendered: Rendered) -> dict[str, str]:
    """What is written, by file name."""
    endings = {"html": "html", "text": "txt", "push": "push.json"}
    parts = _parts(rendered)
    locales = {str(channel): locale for channel, locale in rendered.locales.items()}
    return {
        f"{rendered.template_id}.{locales['push' if name == 'push' else 'email']}.{endings[name]}": text
        for name, text in parts.items()
        if name in endings
    }


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
    except OSError as error:
        raise CannotContinue(f"{path} cannot be written: {error.strerror}.") from error
