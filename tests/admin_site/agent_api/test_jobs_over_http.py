"""Jobs, orders and blobs over the wire: repeated, altered, late, not theirs."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse

from admin_site.core import clock
from admin_site.core.blobs import path_of_blob
from admin_site.jobs.models import Job
from admin_site.jobs.selectors import output_of_job
from client_agent.protocol import codec, limits
from client_agent.protocol.jobs import (
    EndReason,
    JobDocument,
    LeaseAnswer,
    LeaseRequest,
    OutputAnswer,
    OutputRequest,
    ResultRequest,
)
from client_agent.protocol.orders import OrderDocument, OrdersAnswer
from client_agent.protocol.signed import Signed
from tests.admin_site.agent_api.conftest import Api, make_api, order_of
from tests.admin_site.backend_objects import (
    code_of,
    make_computer,
    make_script,
    nothing_changes,
    problem_of,
    send,
)


def _job(api: Api) -> Job:
    with api.norrby.scope():
        job: Job = Job.objects.get(pk=api.job.pk)
    return job


def _output(api: Api, offset: int, data: bytes, **changes: Any) -> HttpResponse:
    assert api.job.lease_id is not None
    fields = {"lease_id": api.job.lease_id, "offset": offset, "data": data, **changes}
    return api.ask("output", OutputRequest(**fields))


def _result(api: Api, **changes: Any) -> HttpResponse:
    fields: dict[str, Any] = {
        "lease_id": api.job.lease_id,
        "reason": EndReason.EXIT,
        "finished_at": clock.now(),
        "exit_status": 0,
    }
    return api.ask("result", ResultRequest(**fields | changes))


# --- leases -------------------------------------------------------------------------


def test_a_lease_brings_the_signed_job_as_it_was_stored(api: Api) -> None:
    request = LeaseRequest(request_id=uuid4())
    answer = codec.decode(LeaseAnswer, api.ask("lease", request).content)
    (lease,) = answer.leases
    document = codec.decode(JobDocument, lease.job.payload)
    with api.norrby.scope():
        job = Job.objects.get(pk=document.id)
    assert job.signed is not None
    assert codec.decode(Signed, bytes(job.signed)) == lease.job
    assert (lease.lease_id, lease.lease_seconds) == (job.lease_id, 120)
    with nothing_changes():
        again = api.ask("lease", request)
    assert codec.decode(LeaseAnswer, again.content) == answer


def test_a_replayed_lease_request_gets_the_same_jobs(api: Api) -> None:
    target = "/agent/v1/jobs/lease"
    body = codec.encode(LeaseRequest(request_id=uuid4()))
    headers = {"Authorization": api.device.authorization("POST", target, body)}
    first = send("POST", target, body, headers)
    with nothing_changes():
        again = send("POST", target, body, headers)
    assert again.content == first.content


@pytest.mark.parametrize("limit", [0, limits.LEASED_JOBS + 1, -1])
def test_too_many_or_no_jobs_cannot_be_asked_for(api: Api, limit: int) -> None:
    body = b'{"request_id":"%s","limit":%d}' % (str(uuid4()).encode(), limit)
    with nothing_changes():
        assert code_of(api.ask("lease", body)) == "body-invalid"


# --- output -------------------------------------------------------------------------


def test_output_is_appended_and_the_next_offset_told(api: Api) -> None:
    answer = codec.decode(OutputAnswer, _output(api, 0, b"one\n").content)
    assert (answer.next_offset, answer.lease_seconds) == (4, 900)
    answer = codec.decode(OutputAnswer, _output(api, 4, b"two\n").content)
    assert answer.next_offset == 8
    with api.norrby.scope():
        assert output_of_job(_job(api), offset=0, at_most=99) == b"one\ntwo\n"


def test_a_replayed_piece_is_stored_once(api: Api) -> None:
    target = f"/agent/v1/{api.path('output')}"
    body = codec.encode(api.message("output"))
    headers = {"Authorization": api.device.authorization("POST", target, body)}
    answers = {send("POST", target, body, headers).content for _each in range(3)}
    assert len(answers) == 1
    assert _job(api).output_bytes == 5


def test_a_gap_is_told_with_the_offset_wanted(api: Api) -> None:
    _output(api, 0, b"abc")
    with nothing_changes():
        response = _output(api, 9, b"x")
    assert (response.status_code, code_of(response)) == (409, "output-gap")
    assert problem_of(response).offset == 3


def test_a_whole_chunk_fits_and_a_longer_one_does_not(api: Api) -> None:
    data = b"x" * limits.OUTPUT_CHUNK_BYTES
    assert _output(api, 0, data).status_code == 200
    with nothing_changes():
        response = _output(api, len(data), data + b"x")
    assert (response.status_code, code_of(response)) == (413, "body-too-large")


def test_output_beyond_the_cap_is_refused(api: Api) -> None:
    with api.norrby.scope():
        Job.objects.filter(pk=api.job.pk).update(
            output_bytes=limits.OUTPUT_STORED_BYTES
        )
    with nothing_changes():
        response = _output(api, limits.OUTPUT_STORED_BYTES, b"x")
    assert (response.status_code, code_of(response)) == (413, "output-too-long")


@pytest.mark.parametrize("endpoint", ["output", "result"])
def test_another_lease_is_lost(api: Api, endpoint: str) -> None:
    api.job.lease_id = uuid4()
    with nothing_changes():
        response = api.ask(endpoint)
    assert (response.status_code, code_of(response)) == (409, "lease-lost")


@pytest.mark.parametrize("endpoint", ["output", "result"])
def test_a_path_without_a_job_is_no_endpoint(api: Api, endpoint: str) -> None:
    response = api.device.ask(
        "POST", f"jobs/not-a-job/{endpoint}", api.message(endpoint)
    )
    assert response.status_code == 404


# --- results ------------------------------------------------------------------------


def test_a_result_ends_the_job_once(api: Api) -> None:
    assert _result(api, fields={"disks": [1, 2]}).status_code == 204
    ended = _job(api)
    assert (ended.status, ended.fields) == ("succeeded", {"disks": [1, 2]})
    with nothing_changes():
        again = _result(api, exit_status=9, fields={})
    assert again.status_code == 204


def test_a_late_result_is_believed_after_all(api: Api) -> None:
    with api.norrby.scope():
        Job.objects.filter(pk=api.job.pk).update(status="lost")
    assert _result(api, exit_status=4).status_code == 204
    assert (_job(api).status, _job(api).exit_status) == ("failed", 4)


@pytest.mark.parametrize(
    "changes",
    [{"code": "a\0b"}, {"fields": {"disk": "a\0b"}}, {"fields": {"a\0b": 1}}],
)
def test_a_result_that_cannot_be_stored_is_refused_whole(
    api: Api, changes: dict[str, Any]
) -> None:
    with nothing_changes():
        response = _result(api, **changes)
    assert (response.status_code, code_of(response)) == (400, "body-invalid")


@pytest.mark.parametrize(
    "moment",
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-01-01T00:00:00Z"],
)
def test_a_time_that_no_clock_tells_does_no_harm(api: Api, moment: str) -> None:
    body = (
        f'{{"lease_id":"{api.job.lease_id}","reason":"exit","exit_status":0,'
        f'"finished_at":"{moment}","started_at":"{moment}"}}'
    ).encode()
    assert api.ask("result", body).status_code == 204
    assert abs(clock.now() - (_job(api).finished_at or clock.now())) < timedelta(
        hours=1
    )


# --- orders -------------------------------------------------------------------------


def _numbers(api: Api, after: str = "") -> list[int]:
    response = api.device.ask("GET", f"orders{after}")
    answer = codec.decode(OrdersAnswer, response.content)
    documents = [codec.decode(OrderDocument, each.payload) for each in answer.orders]
    assert all(each.computer == api.computer.pk for each in documents)
    return [each.seq for each in documents]


def test_orders_come_in_sequence_above_the_one_asked_for(api: Api) -> None:
    for _each in range(3):
        order_of(api.norrby, api.computer, api.job.pk)
    assert _numbers(api) == [1, 2, 3, 4]
    assert _numbers(api, "?after=0") == [1, 2, 3, 4]
    assert _numbers(api, "?after=2") == [3, 4]
    assert _numbers(api, "?after=0002") == [3, 4]
    assert _numbers(api, "?after=9999999999999999") == []


@pytest.mark.parametrize(
    "after", ["-1", "x", "1.0", "%20 1", "", "%D9%A1", "1" * 17, "1%00"]
)
def test_a_number_that_is_none_is_refused(api: Api, after: str) -> None:
    response = api.device.ask("GET", f"orders?after={after.replace(' ', '%20')}")
    assert (response.status_code, code_of(response)) == (400, "body-invalid")


def test_orders_of_others_and_old_ones_are_not_delivered(api: Api) -> None:
    other, _device = make_computer(api.norrby, "pc-2")
    order_of(api.norrby, other, api.job.pk)
    order_of(api.norrby, api.computer, api.job.pk, now=clock.now() - timedelta(days=2))
    make_api("soderby", api.script)
    assert _numbers(api) == [1]


# --- blobs --------------------------------------------------------------------------


def test_the_executable_of_a_job_is_delivered_to_the_byte(api: Api) -> None:
    response = api.ask("blob")
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert hashlib.sha256(response.content).hexdigest() == api.script.sha256
    assert len(response.content) == api.script.size_bytes


@pytest.mark.parametrize("size", [0, 10 * 1024 * 1024])
def test_a_script_of_any_size_is_delivered(api: Api, size: int) -> None:
    content = b"#" * size
    script = make_script("of-some-size", content=content)
    with api.norrby.scope():
        job = Job.objects.get(pk=api.job.pk)
        job.run.script_version = script
        job.run.save()
    assert api.device.ask("GET", f"blobs/{script.sha256}").content == content


def test_only_for_a_job_of_this_computer_that_has_not_ended(api: Api) -> None:
    other = make_script("another", content=b"other")
    with api.norrby.scope():
        Job.objects.update(status="succeeded")
    strangers = [api.device, make_computer(api.norrby, "pc-2")[1]]
    for device in strangers:
        for sha256 in (api.script.sha256, other.sha256, "0" * 64):
            response = device.ask("GET", f"blobs/{sha256}")
            assert (response.status_code, code_of(response)) == (404, "blob-unknown")


def test_a_blob_that_is_gone_from_the_disk_is_unknown(api: Api) -> None:
    path = path_of_blob(api.script.sha256)
    content = path.read_bytes()
    path.unlink()
    try:
        assert code_of(api.ask("blob")) == "blob-unknown"
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("name", ["../../etc/passwd", "A" * 64, "0" * 63, "0" * 65])
def test_a_name_that_is_no_digest_is_no_endpoint(api: Api, name: str) -> None:
    assert api.device.ask("GET", f"blobs/{name}").status_code == 404
