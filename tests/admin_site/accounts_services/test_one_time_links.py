"""Ways in: one-time links, addresses, secrets of the second factor."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from admin_site.accounts.adapter import MfaAdapter
from admin_site.accounts.models import OneTimeLink, User
from admin_site.accounts.services import (
    LINK_LIFETIME,
    LinkInvalid,
    choose_user_language,
    make_one_time_link,
    use_one_time_link,
)
from admin_site.core.crypto import SecretUnreadable
from tests.admin_site.backend_objects import NOW, call_all, make_user

pytestmark = pytest.mark.django_db


def test_a_link_signs_in_once() -> None:
    user = make_user("eva")
    secret = make_one_time_link(user=user, now=NOW)
    assert use_one_time_link(secret=secret, now=NOW) == user
    with pytest.raises(LinkInvalid):
        use_one_time_link(secret=secret, now=NOW)


@pytest.mark.parametrize(
    ("age", "is_good"),
    [
        (timedelta(), True),
        (LINK_LIFETIME - timedelta(seconds=1), True),
        (LINK_LIFETIME, False),
        (LINK_LIFETIME + timedelta(days=400), False),
    ],
)
def test_a_link_is_good_for_a_day(age: timedelta, is_good: bool) -> None:
    user = make_user("eva")
    secret = make_one_time_link(user=user, now=NOW)
    if is_good:
        assert use_one_time_link(secret=secret, now=NOW + age) == user
    else:
        with pytest.raises(LinkInvalid):
            use_one_time_link(secret=secret, now=NOW + age)


@pytest.mark.parametrize("secret", ["", "x", "\0", "ø" * 40, "a" * 10_000])
def test_an_unknown_link_is_refused_in_the_same_words(secret: str) -> None:
    known = make_one_time_link(user=make_user("eva"), now=NOW)
    with pytest.raises(LinkInvalid) as unknown:
        use_one_time_link(secret=secret, now=NOW)
    with pytest.raises(LinkInvalid) as expired:
        use_one_time_link(secret=known, now=NOW + LINK_LIFETIME)
    assert str(unknown.value) == str(expired.value)


def test_a_link_of_somebody_who_may_not_sign_in_is_refused() -> None:
    user = make_user("eva")
    secret = make_one_time_link(user=user, now=NOW)
    User.objects.filter(pk=user.pk).update(is_active=False)
    with pytest.raises(LinkInvalid):
        use_one_time_link(secret=secret, now=NOW)


def test_only_a_digest_of_a_link_is_kept() -> None:
    secret = make_one_time_link(user=make_user("eva"), now=NOW)
    kept = OneTimeLink.objects.get()
    assert len(bytes(kept.secret_hash)) == 32
    assert secret.encode() not in bytes(kept.secret_hash)
    assert len(secret) >= 40


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_sign_in_once() -> None:
    secret = make_one_time_link(user=make_user("eva"), now=NOW)

    def click() -> bool:
        try:
            use_one_time_link(secret=secret, now=NOW)
        except LinkInvalid:
            return False
        return True

    assert sorted(map(bool, call_all([click] * 4))) == [False, False, False, True]


def test_addresses_are_compared_without_case() -> None:
    user = User.objects.create_user(" Eva@Example.ORG ", name="Eva", password="x" * 12)
    assert user.email == "eva@example.org"
    assert User.objects.get_by_natural_key("EVA@example.org") == user
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("eva@EXAMPLE.org", name="Another")


def test_a_language_is_kept_only_if_the_portal_speaks_it() -> None:
    user = make_user("eva")
    choose_user_language(user=user, language="sv")
    with pytest.raises(ValueError, match="language"):
        choose_user_language(user=user, language="tlh")
    assert User.objects.get(pk=user.pk).language == "sv"


def test_the_seed_of_the_second_factor_is_encrypted_at_rest() -> None:
    adapter = MfaAdapter()
    box = adapter.encrypt("JBSWY3DPEHPK3PXP")
    assert "JBSWY3DPEHPK3PXP" not in box
    assert adapter.decrypt(box) == "JBSWY3DPEHPK3PXP"
    with pytest.raises(SecretUnreadable):
        adapter.decrypt(box[:-8] + "AAAAAAAA")
