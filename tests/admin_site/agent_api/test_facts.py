"""``PATCH /agent/v1/facts``: only what changed travels, and both sides agree."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin_site.agent_api.intake import take_facts
from admin_site.computers.models import Facts
from client_agent.protocol import codec, limits
from client_agent.protocol.facts import FactsRequest, facts_after, facts_digest
from tests.admin_site.agent_api.conftest import FACTS, Api
from tests.admin_site.backend_objects import (
    NOW,
    code_of,
    make_computer,
    nothing_changes,
)

slugs = st.from_regex(r"\A[a-z]{1,4}\Z")
# Numbers that PostgreSQL gives back as they were written.
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(slugs, inner, max_size=3)
    ),
    max_leaves=5,
)
changes = st.dictionaries(slugs, values, max_size=4)


def _patch(api: Api, facts: dict[str, Any], *, known: Any = None) -> HttpResponse:
    """Send `facts` as changes to `known`, or everything."""
    replaces = known is None
    request = FactsRequest(changed=facts, digest="0" * 64, replaces=replaces)
    digest = facts_digest(facts_after(known or {}, request))
    return api.ask("facts", FactsRequest(facts, digest, replaces))


def _stored(api: Api) -> dict[str, Any]:
    with api.norrby.scope():
        facts: dict[str, Any] = Facts.objects.get(computer=api.computer).data
    return facts


def test_changes_are_merged_and_null_removes(api: Api) -> None:
    assert _patch(api, FACTS).status_code == 204
    assert _patch(api, {"host-name": "pc-2"}, known=FACTS).status_code == 204
    assert _stored(api) == {**FACTS, "host-name": "pc-2"}
    assert _patch(api, {"memory": None}, known=_stored(api)).status_code == 204
    assert _stored(api) == {"host-name": "pc-2"}


def test_everything_anew_forgets_what_was_known(api: Api) -> None:
    _patch(api, FACTS)
    _patch(api, {"disks": []})
    assert _stored(api) == {"disks": []}


def test_the_same_again_is_the_same(api: Api) -> None:
    _patch(api, FACTS)
    for _each in range(2):
        assert _patch(api, FACTS, known=FACTS).status_code == 204
    assert _stored(api) == FACTS


def test_another_digest_asks_for_everything_and_keeps_what_was(api: Api) -> None:
    _patch(api, FACTS)
    with nothing_changes():
        response = _patch(api, {"disks": [1]}, known={"unknown": "here"})
    assert (response.status_code, code_of(response)) == (409, "facts-digest-wrong")
    assert _patch(api, {**FACTS, "disks": [1]}).status_code == 204


def test_the_first_change_without_a_base_asks_for_everything(api: Api) -> None:
    with nothing_changes():
        response = _patch(api, {"disks": [1]}, known=FACTS)
    assert code_of(response) == "facts-digest-wrong"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(changes, min_size=1, max_size=4))
def test_both_sides_keep_the_same_facts(
    api: Api, batches: list[dict[str, Any]]
) -> None:
    known: dict[str, Any] = {}
    with api.norrby.scope():
        for number, changed in enumerate(batches):
            request = FactsRequest(changed, "0" * 64, replaces=number == 0)
            known = facts_after(known, request)
            request = FactsRequest(changed, facts_digest(known), replaces=number == 0)
            take_facts(computer=api.computer, request=request, now=NOW)
            assert codec.encode(_stored(api)) == codec.encode(known)


def test_facts_of_another_computer_are_left_alone(api: Api) -> None:
    other, device = make_computer(api.norrby, "pc-2")
    _patch(api, FACTS)
    request = FactsRequest({}, facts_digest({}), replaces=True)
    assert api.ask("facts", request, device=device).status_code == 204
    assert _stored(api) == FACTS
    with api.norrby.scope():
        assert Facts.objects.get(computer=other).data == {}


# --- sizes --------------------------------------------------------------------------


def _of_size(size: int, key: str = "big") -> dict[str, Any]:
    """Facts whose JSON has `size` bytes."""
    frame = len(codec.encode({key: ""}))
    return {key: "x" * (size - frame)}


def test_a_request_up_to_the_limit_is_taken(api: Api) -> None:
    frame = len(codec.encode(FactsRequest({}, "0" * 64, replaces=True)))
    facts = _of_size(limits.FACTS_BYTES - frame)
    assert _patch(api, facts).status_code == 204
    assert _patch(api, _of_size(limits.FACTS_BYTES + 1)).status_code == 413


def test_facts_do_not_grow_beyond_what_could_be_sent_at_once(api: Api) -> None:
    half = limits.FACTS_BYTES // 2
    first, second = _of_size(half, "one"), _of_size(half, "two")
    assert _patch(api, first).status_code == 204
    assert _patch(api, second, known=first).status_code == 204
    with nothing_changes():
        third = _of_size(half, "three")
        response = _patch(api, third, known={**first, **second})
    assert (response.status_code, code_of(response)) == (413, "body-too-large")


@pytest.mark.parametrize(
    "facts",
    [{"a": "\0"}, {"a": {"b\0": 1}}, {"a": ["\0"]}],
)
def test_what_the_database_cannot_hold_is_refused(
    api: Api, facts: dict[str, Any]
) -> None:
    with nothing_changes():
        response = _patch(api, facts)
    assert (response.status_code, code_of(response)) == (400, "body-invalid")


def test_numbers_of_any_size_do_no_harm(api: Api) -> None:
    for number in (2**64, -(2**200), 1e300, 5e-324, -0.0):
        response = _patch(api, {"number": number})
        assert response.status_code in (204, 409)
