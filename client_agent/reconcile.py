"""From what is to what should be: the settings of one computer, again and again.

Nothing is remembered between runs but the journal of originals, so a run after a power
cut is an ordinary run.
"""

import errno
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from client_agent.host.errors import FeatureAbsent, HostError
from client_agent.host.originals import OwnedFiles, settings_with_originals
from client_agent.protocol.reports import Compliance
from client_agent.protocol.types import Json
from client_agent.settings import SCHEMAS, SettingInvalid, SettingSchema
from client_agent.settings.handling import Handler, load_handler

log = logging.getLogger(__name__)

Load = Callable[[SettingSchema[Any]], Handler[Any]]

_CODES = {
    errno.ENOSPC: "disk-full",
    errno.EDQUOT: "disk-full",
    errno.EROFS: "disk-read-only",
    errno.EACCES: "access-denied",
    errno.EPERM: "access-denied",
}


@dataclass(frozen=True)
class Context:
    """The computer that is meant: files below `root`, `product` as enrolled."""

    root: Path
    product: str


@dataclass(frozen=True)
class Outcome:
    """How one setting stands; `code` and `detail` say why it is not simply so."""

    setting: str
    status: Compliance
    code: str = ""
    detail: str = ""


def reconcile(
    settings: Mapping[str, Json],
    *,
    context: Context,
    schemas: Mapping[str, SettingSchema[Any]] = SCHEMAS,
    load: Load = load_handler,
) -> list[Outcome]:
    """Make the computer what `settings` say; say how each of them stands.

    Removes first, so that a file may pass from one setting to another. A setting that
    was begun and is not named any more is reverted from the journal alone; so is one
    that is named but unknown or not for this product. An invalid value leaves what the
    last valid one did. Errors stay with their setting: none is raised.
    """
    run = _Run(context, schemas, load, begun=_begun(context.root))
    return [
        *(_guarded(slug, run.remove) for slug in run.begun if slug not in settings),
        *(
            _guarded(slug, partial(run.keep, value=value))
            for slug, value in sorted(settings.items())
        ),
    ]


@dataclass(frozen=True)
class _Run:
    context: Context
    schemas: Mapping[str, SettingSchema[Any]]
    load: Load
    begun: list[str]

    def remove(self, slug: str) -> Outcome:
        foreign = OwnedFiles(self.context.root, slug).revert()
        return Outcome(slug, Compliance.REMOVED, *_changed_from_outside(foreign))

    def keep(self, slug: str, *, value: Json) -> Outcome:
        schema = self.schemas.get(slug)
        if schema is None:
            return self._not_applicable(slug, "setting-unknown")
        if self.context.product not in [product.value for product in schema.products]:
            return self._not_applicable(slug, "product-unsupported")
        wanted = schema.decode(value)
        handler = self.load(schema)
        files = OwnedFiles(self.context.root, slug, handler.owns)
        foreign = files.changed_from_outside()
        changes = handler.plan(wanted, files)
        if not changes:
            return Outcome(slug, Compliance.COMPLIANT)
        files.begin()
        handler.apply(changes, files)
        if not foreign:
            return Outcome(slug, Compliance.COMPLIANT)
        return Outcome(slug, Compliance.MENDED, *_changed_from_outside(foreign))

    def _not_applicable(self, slug: str, code: str) -> Outcome:
        if slug in self.begun:
            OwnedFiles(self.context.root, slug).revert()
        return Outcome(slug, Compliance.NOT_APPLICABLE, code)


def _guarded(slug: str, action: Callable[[str], Outcome]) -> Outcome:
    try:
        return action(slug)
    except FeatureAbsent as absent:
        status = Compliance.NOT_APPLICABLE
        return Outcome(slug, status, absent.code, absent.detail)
    except SettingInvalid as invalid:
        return Outcome(slug, Compliance.FAILED, invalid.code, str(invalid))
    except HostError as refused:
        return Outcome(slug, Compliance.FAILED, refused.code, refused.detail)
    except OSError as error:
        code = _CODES.get(error.errno or 0, "disk-error")
        return Outcome(slug, Compliance.FAILED, code, str(error)[:400])
    except Exception as error:
        log.exception("setting %s: its handler failed", slug)
        name = type(error).__name__
        return Outcome(slug, Compliance.FAILED, "handler-broken", name)


def _begun(root: Path) -> list[str]:
    try:
        return settings_with_originals(root)
    except (HostError, OSError) as error:
        log.warning("the journal of originals cannot be read: %s", error)
        return []


def _changed_from_outside(foreign: list[str]) -> tuple[str, str]:
    paths = ", ".join(f"/{path}" for path in foreign)
    return ("changed-from-outside", paths[:400]) if foreign else ("", "")
