"""Background work of `accounts`."""

from datetime import datetime

from django.contrib.sessions.backends.db import SessionStore

from admin_site.accounts.models import OneTimeLink
from admin_site.core.tasks import task_without_tenant


@task_without_tenant("accounts.forget_expired", cron="23 3 * * *")
def forget_expired(now: datetime) -> None:
    """Delete sessions and one-time links that are no longer of use."""
    SessionStore.clear_expired()
    OneTimeLink.objects.filter(expires_at__lt=now).delete()
