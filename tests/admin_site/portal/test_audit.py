"""The page of the audit log, and its download."""

import ast
import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext

from admin_site.audit.models import AuditEvent
from admin_site.audit.sealing import seal_events
from admin_site.core.tenancy import scoped
from admin_site.portal import audit_csv
from admin_site.portal.audit_csv import safe_cell
from admin_site.portal.audit_texts import ACTIONS
from admin_site.tenancy.roles import Role
from devtools.source_tree import python_files, tree_of
from tests.factories.people import ThreePeople, browser_of
from tests.factories.tenants import make_member

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
NASTY = "<script>alert('x')</script>"


def add(three_people: ThreePeople, **fields: Any) -> AuditEvent:
    site = fields.pop("site", three_people.site)
    values = {
        "at": NOON,
        "actor_kind": "user",
        "actor_name": "Eva",
        "action": "computer.approved",
        "target_kind": "computer",
        "target_name": "Atlas",
        **fields,
    }
    with scoped([site.organisation_id]):
        return AuditEvent.objects.create(organisation_id=site.organisation_id, **values)


def page_of(three_people: ThreePeople, query: str = "", language: str = "en") -> Any:
    page = browser_of(three_people.bob, language=language).get(
        three_people.at_site(f"audit/{query}")
    )
    assert page.status_code == 200
    return page


def targets(three_people: ThreePeople, query: str, language: str = "en") -> list[str]:
    rows = page_of(three_people, query, language).context["rows"]
    return [shown.event.target_name for shown in rows]


def body_of(response: Any) -> str:
    """What a streamed answer says, read as the server reads it."""
    assert response.streaming

    async def read() -> bytes:
        return b"".join([piece async for piece in response])

    return async_to_sync(read)().decode()


def table(three_people: ThreePeople, query: str = "") -> list[list[str]]:
    answer = browser_of(three_people.bob).get(
        three_people.at_site(f"audit/export/{query}")
    )
    return list(csv.reader(io.StringIO(body_of(answer).removeprefix("\ufeff"))))


def test_search_and_filters(three_people: ThreePeople) -> None:
    add(three_people, target_name="Atlas", at=NOON)
    add(three_people, target_name="Boreas", actor_name="Karl", at=NOON)
    later = NOON + timedelta(days=2)
    add(three_people, target_name="Run 1", action="run.created", at=later)
    add(three_people, target_name="Elsewhere", site=three_people.other_site)
    days = "since=2026-03-01&until=2026-03-31"
    assert set(targets(three_people, f"?{days}")) == {"Atlas", "Boreas", "Run 1"}
    assert targets(three_people, "?q=ATLAS") == ["Atlas"]
    assert targets(three_people, "?q=karl") == ["Boreas"]
    assert targets(three_people, "?q=run.cre") == ["Run 1"]
    assert targets(three_people, "?q=script run ord") == ["Run 1"]
    assert targets(three_people, "?action=run.created") == ["Run 1"]
    assert targets(three_people, "?until=2026-03-04&q=Atlas") == ["Atlas"]
    assert targets(three_people, "?since=2026-03-05&until=2026-03-31") == ["Run 1"]
    assert targets(three_people, "?q=%25") == []
    assert targets(three_people, f"?{days}&sort=target") == ["Atlas", "Boreas", "Run 1"]


def test_words_are_found_in_the_language_of_the_page(three_people: ThreePeople) -> None:
    add(three_people)
    assert targets(three_people, "?q=computer godkendt", "da") == ["Atlas"]


def test_days_are_those_of_the_site(three_people: ThreePeople) -> None:
    """The site is in Copenhagen, an hour ahead."""
    add(three_people, at=datetime(2026, 3, 4, 23, 30, tzinfo=UTC))
    assert targets(three_people, "?until=2026-03-04") == []
    assert targets(three_people, "?since=2026-03-05&until=2026-03-05") == ["Atlas"]


@pytest.mark.parametrize(
    "query",
    [
        "?since=x",
        "?until=9999-12-31",
        "?since=0001-01-01",
        "?action=nothing",
        "?q=%00",
        "?sort=changes",
        "?page=-1",
    ],
)
def test_nonsense_counts_as_nothing_said(three_people: ThreePeople, query: str) -> None:
    add(three_people)
    assert "Atlas" in targets(three_people, query)


def test_rows_are_told_in_words(three_people: ThreePeople) -> None:
    add(
        three_people,
        actor_kind="computer",
        actor_name="Boreas",
        target_name=NASTY,
        before={"status": "pending", "same": 1, "start_pages": ["https://a.example"]},
        after={"status": "approved", "same": 1, "is_new": True, "uses_left": None},
    )
    page = page_of(three_people, "?action=computer.approved")
    assert NASTY not in page.text
    (shown,) = page.context["rows"]
    assert (shown.who, shown.action) == ("Computer Boreas", "Computer approved")
    changes = {each.name: (each.before, each.after) for each in shown.changes}
    assert changes["State"] == ("pending", "approved")
    assert changes["is_new"] == ("", "Yes")
    assert '["https://a.example"]' in {before for before, _after in changes.values()}
    assert "same" not in changes
    assert "before: pending" in page.text


def test_the_page_says_how_far_the_log_is_sealed(three_people: ThreePeople) -> None:
    assert "Nothing is sealed yet." in page_of(three_people).text
    organisation_id = three_people.site.organisation_id
    with scoped([organisation_id]):
        seal_events(organisation_id=organisation_id, now=datetime.now(UTC))
    assert "Sealed up to" in page_of(three_people).text


def test_nothing_found_leads_back_to_everything(three_people: ThreePeople) -> None:
    page = page_of(three_people, "?q=zebra").text
    assert "No event fits what you are looking for." in page
    assert f'href="{three_people.at_site("audit/")}"' in page


@pytest.mark.parametrize(
    "role",
    [Role.OPERATOR, Role.IT_TECHNICIAN, Role.FRONT_DESK, Role.AUDITOR],
    ids=str,
)
def test_others_neither_read_nor_download(
    three_people: ThreePeople, role: Role
) -> None:
    # An auditor of one site would see the other sites too.
    browser = browser_of(make_member(three_people.site, role))
    for path in ("audit/", "audit/export/"):
        assert browser.get(three_people.at_site(path)).status_code == 403
    assert three_people.at_site("audit/") not in (
        browser.get(three_people.at_site()).text
    )


def test_every_action_has_words() -> None:
    used = {
        keyword.value.value
        for path in python_files("admin_site")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "action"
        if isinstance(keyword.value, ast.Constant)
        if "." in str(keyword.value.value)
    }
    assert used == ACTIONS.keys()


# --- the download -------------------------------------------------------------------


def test_the_download_has_what_the_filter_leaves(three_people: ThreePeople) -> None:
    add(three_people, after={"name": "Ærø"}, actor_name="Åse")
    add(three_people, action="run.created", target_name="Run 1")
    add(three_people, site=three_people.other_site)
    headings, *rows = table(three_people, "?action=computer.approved")
    assert len(headings) == 11
    assert rows == [
        [
            *("2026-03-04T13:00:00+01:00", "Åse", "user"),
            *("Computer approved", "computer.approved", "Atlas", "computer"),
            *("", "", '{"name": "Ærø"}', ""),
        ]
    ]


def test_the_download_is_an_event_itself(three_people: ThreePeople) -> None:
    table(three_people, "?q=Atlas&since=2026-03-01")
    with scoped([three_people.site.organisation_id]):
        event = AuditEvent.objects.get(action="audit.exported")
    assert event.actor_id == str(three_people.bob.pk)
    assert event.after == {"q": "Atlas", "since": "2026-03-01"}


def test_the_download_is_a_file(three_people: ThreePeople) -> None:
    answer = browser_of(three_people.bob).get(three_people.at_site("audit/export/"))
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert 'attachment; filename="audit-' in answer.headers["Content-Disposition"]


def test_many_rows_come_in_pieces_each_once(
    three_people: ThreePeople, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_csv, "ROWS_IN_A_PIECE", 3)
    for number in range(10):
        at = NOON + timedelta(minutes=number // 4)
        add(three_people, target_name=f"PC {number}", at=at)
    _headings, *rows = table(three_people, "?q=PC")
    assert sorted(row[5] for row in rows) == [f"PC {each}" for each in range(10)]
    times = [row[0] for row in rows]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula(three_people: ThreePeople, name: str) -> None:
    assert safe_cell(name) == f"'{name}"
    add(three_people, actor_name=name, target_name="Atlas")
    _headings, row = table(three_people, "?q=Atlas")
    assert row[1].replace("\r", "\n") == f"'{name}".replace("\r", "\n")


def test_ordinary_cells_stay_as_they_are() -> None:
    for text in ("", "Atlas", "a=b", '{"x": 1}'):
        assert safe_cell(text) == text


def test_a_filtered_page_costs_as_much_as_any(three_people: ThreePeople) -> None:
    for number in range(30):
        add(three_people, target_name=f"PC {number}")
    counts = []
    for query in ("", "?q=PC&action=computer.approved&since=2026-03-01&page=2"):
        with CaptureQueriesContext(connection) as captured:
            page_of(three_people, query)
        counts.append(len(captured))
    assert counts[0] == counts[1]
