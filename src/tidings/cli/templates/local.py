"""A template of a folder compiled and filled in here, as the server would."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidings.cli.templates.faults import Faulty, FileFault
from tidings.cli.templates.folder import Contents
from tidings.cli.templates.places import fault_at
from tidings.contracts.templates import CompiledTemplate, Rendered, TemplateContent
from tidings.kit.errors import FieldFault, Unprocessable
from tidings.rendering import Renderer
from tidings.templates.checking import compile_checked
from tidings.templates.previewing import preview

NEXT = 1
"""Files have no version; this stands where a version has its number."""


@dataclass(frozen=True, slots=True)
class LocalTemplate:
    """A template that compiles, with the files it came from."""

    id: str
    files: Mapping[str, str]
    content: TemplateContent
    compiled: CompiledTemplate

    @classmethod
    async def compile(cls, template_id: str, contents: Contents) -> "LocalTemplate":
        """The template, with the folder's partials.

        Raises:
            Faulty: it does not compile, or a part of it is missing.
        """
        content, files = contents.templates[template_id], contents.files[template_id]
        try:
            compiled = await compile_checked(content, contents.partials)
        except Unprocessable as error:
            raise _faulty(template_id, files, error.errors) from error
        return cls(template_id, files, content, compiled.template(template_id, NEXT, content))

    def render(self, locale: str | None, variables: Mapping[str, Any] | None = None) -> Rendered:
        """Every channel in one language; `variables` go before the sample's.

        Raises:
            Faulty: the values do not fit, or one is missing.
        """
        values = {**self.content.sample, **(variables or {})}
        try:
            return preview(Renderer(keep=2), self.compiled, values, locale)
        except Unprocessable as error:
            raise _faulty(self.id, self.files, error.errors) from error


def _faulty(template_id: str, files: Mapping[str, str], errors: Sequence[FieldFault]) -> Faulty:
    places = ((error.field.replace("$.variables", "$.sample", 1), error.message) for error in errors)
    return Faulty(*(fault_at(files, path, message).within(template_id) for path, message in places))


def fault_of(template: LocalTemplate, path: str, message: str) -> FileFault:
    """A remark about a template's body as one about its files."""
    return fault_at(template.files, path, message).within(template.id)
