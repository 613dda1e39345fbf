"""The template service as a process sees it: health, schema, settings."""

import httpx
import pytest

from tidings.kit.settings import SettingsError, load_settings
from tidings.templates.settings import TemplatesSettings


async def test_ready_names_each_dependency(templates: httpx.AsyncClient) -> None:
    """The service is ready when PostgreSQL and Redis answer."""
    answer = await templates.get("/health/ready")
    checks = {name: check["status"] for name, check in answer.json()["checks"].items()}
    assert (answer.status_code, checks) == (200, {"postgresql": "pass", "redis": "pass"})


async def test_schema_describes_every_operation(templates: httpx.AsyncClient) -> None:
    """The OpenAPI document holds each operation with its summary and refusals."""
    schema = (await templates.get("/schema/openapi.json")).json()
    operations = {
        f"{method} {path}": sorted(operation["responses"])
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/templates") and operation["summary"]
    }
    common = ["400", "401", "403"]
    assert operations == {
        "post /templates": ["201", *common, "409", "422"],
        "get /templates/{template_id}": ["200", *common, "404", "422"],
        "put /templates/{template_id}": ["200", *common, "404", "422"],
        "get /templates/{template_id}/versions": ["200", *common, "404", "422"],
        "post /templates/{template_id}/render": ["200", *common, "404", "422"],
    }


def test_missing_settings_are_all_named() -> None:
    """A service that lacks settings names each variable, with an example, before it starts."""
    with pytest.raises(SettingsError) as caught:
        load_settings(TemplatesSettings, "templates", {"TIDINGS_TEMPLATES_PORT": "8002"})
    for name in ("TIDINGS_DATABASE_URL", "TIDINGS_CACHE_URL", "TIDINGS_SERVICE_SECRET"):
        assert name in str(caught.value)
