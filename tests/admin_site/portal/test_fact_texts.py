"""The inventory of a computer in words."""

from typing import Any

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from admin_site.portal.fact_texts import described
from client_agent.facts import collect
from client_agent.reconcile import Context

GIB = 1024**3
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "failed", "memory_bytes", "percentage", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
KINDS = ["os", "hardware", "disks", "network", "power", "time", "services", "agent"]


@pytest.mark.parametrize(
    ("facts", "row"),
    [
        (
            {"os": {"name": "Ubuntu 24.04.3 LTS", "architecture": "x86_64"}},
            ("Operating system", "Ubuntu 24.04.3 LTS x86_64"),
        ),
        (
            {"hardware": {"cpu": "Example 9", "cpu_cores": 4, "cpu_threads": 8}},
            ("Processor", "Example 9, 4 cores"),
        ),
        ({"hardware": {"memory_bytes": 8 * GIB}}, ("Memory", "8.0\u00a0GB")),
        (
            {
                "disks": [
                    {"mountpoint": "/", "total_bytes": 40 * GIB, "free_bytes": GIB}
                ]
            },
            ("Disk /", "1.0\u00a0GB free of 40.0\u00a0GB"),
        ),
        (
            {"network": [{"name": "eth0", "addresses": ["192.0.2.7"], "mac": ""}]},
            ("Network eth0", "192.0.2.7"),
        ),
        (
            {"connections": {"code": "", "connectivity": "portal"}},
            ("Way to the internet", "A page that wants a login is in the way"),
        ),
        (
            {"power": {"code": "", "is_on_battery": True, "percentage": 80}},
            ("Power", "Battery, 80 %"),
        ),
        (
            {"power": {"code": "", "is_on_battery": False, "percentage": None}},
            ("Power", "Mains"),
        ),
        (
            {
                "time": {
                    "timezone": "Europe/Stockholm",
                    "is_ntp_on": True,
                    "is_synchronised": False,
                }
            },
            ("Clock", "To be set over the network, but no time server answers"),
        ),
        ({"services": {"code": "", "failed": []}}, ("Services that failed", "None")),
    ],
)
def test_what_is_known_is_said(facts: dict[str, Any], row: tuple[str, str]) -> None:
    assert row in described(facts)


def test_a_service_that_is_absent_says_nothing() -> None:
    absent = {"code": "bus-absent"}
    assert described({"power": absent, "time": absent, "services": absent}) == []


def test_it_is_said_in_the_language_of_the_page() -> None:
    with translation.override("da"):
        assert ("Strøm", "Lysnet") in described({"power": {"is_on_battery": False}})


@given(st.dictionaries(st.sampled_from([*KINDS, "unknown"]), JSON))
def test_odd_facts_do_no_harm(facts: dict[str, Any]) -> None:
    for label, text in described(facts):
        assert label
        assert text


def test_what_an_agent_tells_is_understood(tmp_path: Any) -> None:
    told = described(collect(Context(tmp_path, "desktop")))
    labels = {label for label, _text in told}
    assert {"Kernel", "Memory", "Version of the agent"} <= labels
