"""What staff or the installer told this computer about its portal."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from client_agent.errors import AgentError
from client_agent.host.files import read_or_none, write_atomically
from client_agent.protocol.enrolment import Product
from client_agent.texts import _

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ConfigError(AgentError):
    """The configuration cannot be used as it is."""

    exit_status = 78  # EX_CONFIG of sysexits.h


class Config(msgspec.Struct, frozen=True, omit_defaults=True):
    """Content of ``config.json``. `portal` is an origin without a path."""

    portal: Annotated[str, Meta(max_length=300)]
    product: Product = Product.DESKTOP
    ca_file: Annotated[str, Meta(max_length=1000)] | None = None
    proxy: Annotated[str, Meta(max_length=1000)] | None = None


def load_config(path: Path) -> Config:
    """Read and check the configuration.

    Raises:
        ConfigError: ``config-missing``, ``config-unreadable``, ``config-invalid`` and
            those of `check_config`.
    """
    try:
        raw = read_or_none(path)
    except OSError as error:
        raise ConfigError(
            "config-unreadable",
            str(error),
            hint=_("Run the command as the user that the agent runs as (root)."),
        ) from error
    if raw is None:
        raise ConfigError(
            "config-missing",
            str(path),
            hint=_("Enrol this computer: citizenpc-agent enrol --portal ... ."),
        )
    try:
        config = msgspec.json.decode(raw, type=Config)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            "config-invalid",
            f"{path}: {error}",
            hint=_("Correct the file or enrol this computer again."),
        ) from error
    return check_config(config)


def save_config(path: Path, config: Config) -> None:
    """Write a checked configuration; a proxy's password makes it private."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_atomically(path, msgspec.json.encode(config) + b"\n", mode=0o600)


def check_config(config: Config) -> Config:
    """Return `config` with its portal as a bare origin.

    Raises:
        ConfigError: ``portal-invalid``, ``portal-insecure``, ``ca-file-missing``,
            ``proxy-invalid``.
    """
    portal = _origin_of(config.portal)
    if config.ca_file is not None and not Path(config.ca_file).is_file():
        raise ConfigError(
            "ca-file-missing",
            config.ca_file,
            hint=_("Give the path of a file with the site's CA certificates."),
        )
    if config.proxy is not None and not _is_proxy(config.proxy):
        raise ConfigError(
            "proxy-invalid",
            hint=_("Give the proxy as http://name:port, with user if it needs one."),
        )
    return msgspec.structs.replace(config, portal=portal)


def _origin_of(portal: str) -> str:
    try:
        parts = urlsplit(portal.strip())
        port = parts.port
    except ValueError as error:
        raise _portal_invalid(portal) from error
    host = parts.hostname
    if parts.scheme not in ("http", "https") or not host or parts.username:
        raise _portal_invalid(portal)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise _portal_invalid(portal)
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise ConfigError(
            "portal-insecure",
            portal,
            hint=_("Use https: without it anybody on the way reads along."),
        )
    name = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[parts.scheme]
    suffix = "" if port is None or port == default else f":{port}"
    return f"{parts.scheme}://{name}{suffix}"


def _portal_invalid(portal: str) -> ConfigError:
    return ConfigError(
        "portal-invalid",
        portal,
        hint=_("Give the portal's address as https://name, without a path."),
    )


def _is_proxy(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
        )
    except ValueError:
        return False
