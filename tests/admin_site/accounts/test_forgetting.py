"""Sessions and one-time links do not outlive their use."""

from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from procrastinate.contrib.django import app

from admin_site.accounts.models import OneTimeLink, User
from admin_site.accounts.services import LINK_LIFETIME, make_one_time_link
from admin_site.core import clock


@pytest.mark.django_db(transaction=True)
def test_what_has_expired_is_deleted_each_night() -> None:
    now = clock.now()
    user = User.objects.create_user("anna@norrby.example", name="Anna")
    make_one_time_link(user=user, now=now)
    make_one_time_link(user=user, now=now - LINK_LIFETIME - timedelta(minutes=1))
    for seconds in (-60, 3600):
        session = SessionStore()
        session.set_expiry(seconds)
        session.save()
    app.tasks["accounts.forget_expired"].func(timestamp=int(now.timestamp()))
    assert OneTimeLink.objects.count() == 1
    assert Session.objects.count() == 1
