"""Typed settings from the environment; each may come from a file as ``NAME_FILE``."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import (
    AnyHttpUrl,
    Field,
    IPvAnyNetwork,
    PostgresDsn,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)


class EnvironmentInvalid(SystemExit):
    """The environment does not describe a portal that can start."""


class Env(BaseSettings):
    """What differs between installations. Names are the environment's, in capitals."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    database_url: Annotated[PostgresDsn, Field(alias="DATABASE_URL")]
    redis_url: Annotated[str, Field(alias="REDIS_URL", min_length=8)]
    secret_key: Annotated[SecretStr, Field(alias="CITIZENPC_SECRET_KEY", min_length=32)]
    origin: Annotated[AnyHttpUrl, Field(alias="CITIZENPC_ORIGIN")]
    extra_origins: Annotated[
        str, NoDecode, Field(alias="CITIZENPC_EXTRA_ORIGINS", default="")
    ]
    blob_dir: Annotated[Path, Field(alias="CITIZENPC_BLOB_DIR")]
    master_key_file: Annotated[
        Path | None, Field(alias="CITIZENPC_MASTER_KEY_FILE", default=None)
    ]
    audit_anchor: Annotated[
        Path | None, Field(alias="CITIZENPC_AUDIT_ANCHOR", default=None)
    ]
    debug: Annotated[bool, Field(alias="CITIZENPC_DEBUG", default=False)]
    pool_size: Annotated[
        int, Field(alias="CITIZENPC_POOL_SIZE", default=8, ge=1, le=200)
    ]
    poll_seconds: Annotated[
        int, Field(alias="CITIZENPC_POLL_SECONDS", default=300, ge=1, le=3600)
    ]
    trusted_proxies: Annotated[
        tuple[IPvAnyNetwork, ...],
        NoDecode,
        Field(alias="CITIZENPC_TRUSTED_PROXIES", default=()),
    ]
    enrolments_per_minute: Annotated[
        int, Field(alias="CITIZENPC_ENROLMENTS_PER_MINUTE", default=10, ge=1)
    ]
    wrong_tokens_per_hour: Annotated[
        int, Field(alias="CITIZENPC_WRONG_TOKENS_PER_HOUR", default=5, ge=1)
    ]
    account_failures: Annotated[
        int, Field(alias="CITIZENPC_SIGN_IN_FAILURES_PER_ACCOUNT", default=5, ge=1)
    ]
    address_failures: Annotated[
        int, Field(alias="CITIZENPC_SIGN_IN_FAILURES_PER_ADDRESS", default=20, ge=1)
    ]
    log_level: Annotated[str, Field(alias="CITIZENPC_LOG_LEVEL", default="INFO")]
    process: Annotated[str, Field(alias="CITIZENPC_PROCESS", default="web")]

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _parts(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` was given: `with_files` has read the rest."""
        return (init_settings,)

    @property
    def origins(self) -> tuple[str, ...]:
        """Origins at which this portal is reached, the main one first, no slash."""
        extra = (part.strip() for part in self.extra_origins.split(","))
        return tuple(
            origin.rstrip("/") for origin in (str(self.origin), *extra) if origin
        )


def with_files(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` with each ``NAME_FILE`` read into ``NAME``, unless that is set too.

    Raises:
        EnvironmentInvalid: such a file cannot be read.
    """
    values = dict(environ)
    names = {field.alias for field in Env.model_fields.values() if field.alias}
    for name in names - {"CITIZENPC_MASTER_KEY_FILE"}:
        path = environ.get(f"{name}_FILE")
        if path and name not in environ:
            try:
                values[name] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "not UTF-8 text"
                raise EnvironmentInvalid(
                    f"{name}_FILE: {path} cannot be read ({reason})."
                ) from error
    return values


def load(environ: Mapping[str, str] | None = None) -> Env:
    """The checked environment.

    Raises:
        EnvironmentInvalid: a sentence for each variable that is missing or wrong.
    """
    try:
        return Env.model_validate(
            with_files(os.environ if environ is None else environ)
        )
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise EnvironmentInvalid(
            "The environment is not complete; see docs/operations/configuration.md.\n"
            + "\n".join(lines)
        ) from error
