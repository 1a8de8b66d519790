"""Changes to people and their ways in."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from admin_site.accounts.models import OneTimeLink, User
from admin_site.core.errors import PortalError

LINK_LIFETIME = timedelta(hours=24)


class LinkInvalid(PortalError):
    """Unknown, used or expired: the same sentence for all three."""

    code = "one-time-link-invalid"


@transaction.atomic
def make_one_time_link(*, user: User, now: datetime) -> str:
    """Return the secret of a new link, which is shown once and never stored."""
    secret = secrets.token_urlsafe(32)
    OneTimeLink.objects.create(
        user=user,
        secret_hash=_hash(secret),
        created_at=now,
        expires_at=now + LINK_LIFETIME,
    )
    return secret


@transaction.atomic
def use_one_time_link(*, secret: str, now: datetime) -> User:
    """Return the person of a link that has not been used, and use it up.

    Locks the link's row, so that two clicks at once sign in once.

    Raises:
        LinkInvalid: no such link, used or expired, or its person may not sign in.
    """
    link = (
        OneTimeLink.objects.select_for_update(of=("self",))
        .select_related("user")
        .filter(
            secret_hash=_hash(secret),
            used_at__isnull=True,
            expires_at__gt=now,
            user__is_active=True,
        )
        .first()
    )
    if link is None:
        raise LinkInvalid(_("This link has been used or is too old. Ask for another."))
    link.used_at = now
    link.save(update_fields=["used_at"])
    return link.user


def choose_user_language(*, user: User, language: str) -> None:
    """Keep the language in which `user` wants to read, for every browser.

    Raises:
        ValueError: the portal does not speak it.
    """
    if language not in dict(settings.LANGUAGES):
        raise ValueError("not a language of the portal")
    user.language = language
    user.save(update_fields=["language"])


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
