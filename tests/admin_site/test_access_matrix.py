"""Who reaches which URL: generated from the URLconf, so that none is forgotten."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from admin_site.computers.states import EnrolmentState
from admin_site.core.permissions import Access, Permission
from admin_site.live.consumers import PageConsumer
from admin_site.tenancy.models import Site
from admin_site.tenancy.roles import PERMISSIONS, Role
from tests.factories.computers import make_computer, make_enrolment, make_token
from tests.factories.people import ThreePeople, browser_of
from tests.factories.runs import make_job


@dataclass(frozen=True)
class Url:
    """One pattern of the URLconf."""

    name: str
    route: str
    view: Any

    def __str__(self) -> str:
        return self.name

    @property
    def is_at_site(self) -> bool:
        return "<slug:organisation>" in self.route

    @property
    def parameters(self) -> list[str]:
        found = re.findall(r"<(?:\w+:)?(\w+)>", self.route)
        return [each for each in found if each not in ("organisation", "site")]

    def address(self, site: Site | None, values: dict[str, Any]) -> str:
        kwargs = {name: values[name] for name in self.parameters}
        if site is not None:
            kwargs |= {"organisation": site.organisation.slug, "site": site.code}
        return reverse(self.name, kwargs=kwargs)


def walk(
    patterns: list[URLPattern | URLResolver], route: str = "", space: str = ""
) -> Iterator[Url]:
    for each in patterns:
        here = route + str(each.pattern)
        if isinstance(each, URLResolver):
            inner = f"{space}{each.namespace}:" if each.namespace else space
            yield from walk(each.url_patterns, here, inner)
        else:
            yield Url(f"{space}{each.name}", here, each.callback)


URLS = list(walk(get_resolver().url_patterns))
AT_SITE = [url for url in URLS if url.is_at_site]
# Computers speak another protocol; tests/contract asks who may do what there.
ELSEWHERE = [
    url for url in URLS if not (url.is_at_site or url.route.startswith("agent/"))
]


@pytest.fixture
def values(three_people: ThreePeople) -> dict[str, Any]:
    """Objects of alice's site, by the name that URLs give them."""
    site = three_people.site
    computer = make_computer(site)
    job = make_job(site, computer=computer)
    return {
        "uid": computer.pk,
        "token_id": make_token(site, by=three_people.alice).pk,
        "enrolment_id": make_enrolment(site, state=EnrolmentState.PENDING).pk,
        "slug": "hardware-inventory",
        "run_id": job.run_id,
        "job_id": job.pk,
        "page": "today",
        "secret": "no-such-secret",
    }


def send(browser: Client, method: str, address: str) -> HttpResponse:
    response: HttpResponse = getattr(browser, method.lower())(address)
    return response


def test_urls_were_found() -> None:
    assert len(AT_SITE) >= 19
    assert len(ELSEWHERE) >= 10


@pytest.mark.parametrize("url", URLS, ids=str)
def test_every_url_names_who_may_reach_it(url: Url) -> None:
    access = getattr(url.view, "access", None)
    assert isinstance(access, Permission | Access), f"{url.route} has no `access`"
    if url.is_at_site:
        assert isinstance(access, Permission)
        assert isinstance(url.view.access_to_post, Permission)


def test_every_topic_of_the_page_socket_names_who_may_follow_it() -> None:
    assert PageConsumer.access
    assert all(isinstance(each, Permission) for each in PageConsumer.access.values())


@pytest.mark.parametrize("url", AT_SITE, ids=str)
def test_pages_of_a_site(
    url: Url, three_people: ThreePeople, values: dict[str, Any]
) -> None:
    people = three_people
    for method in url.view.methods:
        address = url.address(people.site, values)
        anonymous = send(browser_of(None), method, address)
        assert anonymous.status_code == 302
        assert anonymous.headers["Location"].startswith("/accounts/login/?next=")
        assert send(browser_of(people.charlie), method, address).status_code == 404
        needed = url.view.access_to_post if method == "POST" else url.view.access
        may_bob = needed in PERMISSIONS[Role.AUDITOR]
        assert not (may_bob and method == "POST"), "an auditor could change something"
        bob = send(browser_of(people.bob), method, address)
        assert bob.status_code == (200 if may_bob else 403)
    for method in url.view.methods:
        address = url.address(people.site, values)
        assert send(browser_of(people.alice), method, address).status_code in (200, 302)


@pytest.mark.parametrize(
    "url", [each for each in AT_SITE if set(each.parameters) - {"slug"}], ids=str
)
def test_objects_of_another_organisation_do_not_exist(
    url: Url, three_people: ThreePeople, values: dict[str, Any]
) -> None:
    address = url.address(three_people.other_site, values)
    for method in url.view.methods:
        response = send(browser_of(three_people.charlie), method, address)
        assert response.status_code == 404


@pytest.mark.parametrize("url", ELSEWHERE, ids=str)
def test_pages_of_no_site(
    url: Url, three_people: ThreePeople, values: dict[str, Any]
) -> None:
    address = url.address(None, values)
    for method in url.view.methods:
        response = send(browser_of(None), method, address)
        if url.view.access is Access.SIGNED_IN:
            assert response.status_code == 302
            assert response.headers["Location"].startswith("/accounts/login/?next=")
        else:
            assert response.status_code in (200, 302, 410)
        with_person = send(browser_of(three_people.bob), method, address)
        # Some of allauth's pages refuse whoever has no second factor.
        assert with_person.status_code in (200, 302, 403, 404, 410)
