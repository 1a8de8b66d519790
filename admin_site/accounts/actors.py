"""People as actors of the audit log."""

from admin_site.accounts.models import User
from admin_site.audit.services import Actor


def actor_of(user: User) -> Actor:
    """`user` as the audit log names them."""
    return Actor(kind="user", id=str(user.pk), name=user.name)
