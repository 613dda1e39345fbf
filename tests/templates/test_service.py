"""The template service as a process sees it: health, schema, settings."""

import httpx
import pytest

from support.polling import eventually
from tidings.kit.settings import SettingsError, load_settings
from tidings.templates.settings import TemplatesSettings


async def test_ready_names_each_dependency(templates: httpx.AsyncClient) -> None:
    """The service is ready when PostgreSQL and Redis answer."""

    async def is_ready() -> bool:
        answer = await templates.get("/health/ready")
        checks = {name: check["status"] for name, check in answer.json()["checks"].items()}
        return (answer.status_code, checks) == (200, {"postgresql": "pass", "redis": "pass"})

    await eventually(is_ready)  # each has two seconds to answer


async def test_schema_describes_every_operation(templates: httpx.AsyncClient) -> None:
    """Each operation of the OpenAPI document has a summary, an example of each body, and its refusals."""
    schema = (await templates.get("/schema/openapi.json")).json()
    operations = {
        f"{method} {path}": operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if path.startswith(("/templates", "/partials"))
    }
    assert len(operations) == 20
    for name, operation in operations.items():
        assert operation["summary"], name
        assert {"400", "401", "403"} < operation["responses"].keys(), name
        if "requestBody" in operation:
            assert operation["requestBody"]["content"]["application/json"]["schema"]["examples"], name
        success = operation["responses"].get("200") or operation["responses"].get("201")
        assert "204" in operation["responses"] or success["content"]["application/json"]["examples"], name


def test_missing_settings_are_all_named() -> None:
    """A service that lacks settings names each variable, with an example, before it starts."""
    with pytest.raises(SettingsError) as caught:
        load_settings(TemplatesSettings, "templates", {"TIDINGS_TEMPLATES_PORT": "8002"})
    for name in ("TIDINGS_DATABASE_URL", "TIDINGS_CACHE_URL", "TIDINGS_SERVICE_SECRET"):
        assert name in str(caught.value)
