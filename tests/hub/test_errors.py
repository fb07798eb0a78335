import json

import httpx2
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
)
from huggingface_hub.utils import hf_raise_for_status, validate_repo_id

from hf_bionerkd.hub.errors import HubError, hub_error, is_missing, wait_asked_for

SECRET = "hf" + "_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
HUB = "https://hub.example"


@pytest.fixture(autouse=True)
def a_hub_to_reach(monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", HUB)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_TOKEN", raising=False)


def answered(status, headers=None, url=f"{HUB}/api/models/org/student", **body):
    """What the client itself raises for an answer."""
    response = httpx2.Response(status, headers=headers, json=body, request=httpx2.Request("POST", url))
    try:
        hf_raise_for_status(response)
    except HfHubHTTPError as error:
        return error
    raise AssertionError("the client raised nothing")


def caused_by(outer, inner):
    try:
        raise outer from inner
    except type(outer) as error:
        return error


INVALID = {"X-Error-Message": "Invalid credentials in Authorization header"}
ANSWERS = {  # status and headers: what the sentence says
    "refused token": (
        401,
        {"X-Error-Message": "Invalid credentials in Authorization header"},
        "refused the token (401)",
    ),
    "missing": (404, {"X-Error-Code": "RepoNotFound"}, "there is no model org/student"),
    "hidden": (401, {}, "there is no model org/student"),  # as the Hub hides what a token may not see
    "no revision": (404, {"X-Error-Code": "RevisionNotFound"}, "has no branch, tag or commit 'v1'"),
    "no file": (404, {"X-Error-Code": "EntryNotFound"}, "org/student at v1 lacks a file"),
    "gated": (403, {"X-Error-Code": "GatedRepo"}, "is gated: ask for access"),
    "payment": (402, {}, "asks for payment (402)"),
    "permission": (403, {}, "may not write to model org/student (403)"),
    "too large": (413, {}, "takes no file or commit of this size"),
    "bad request": (400, {"X-Error-Message": "no such licence"}, "no such licence"),
}
PASSING = {  # and after how many seconds
    "conflict": (409, {}, "changed by someone else", None),
    "moved on": (412, {}, "changed by someone else", None),
    "slow": (408, {}, "error of its own (408)", None),
    "limit": (429, {"Retry-After": "17"}, "again in 17 seconds", 17),
    "limit by window": (429, {"RateLimit": '"api";r=0;t=55'}, "again in 55 seconds", 55),
    "limit without end": (429, {}, "try again later", None),
    "broken": (500, {}, "error of its own (500)", None),
    "busy": (503, {"retry-after": "3"}, "error of its own (503)", 3),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_that_stays_becomes_a_sentence_with_a_remedy(case):
    status, headers, says = ANSWERS[case]
    found = hub_error(answered(status, headers), "org/student", "model", "v1")
    assert says in str(found) and not found.temporary and found.retry_after is None
    assert "\n" not in str(found)


@pytest.mark.parametrize("case", PASSING)
def test_trouble_that_may_pass_says_so_and_when(case):
    status, headers, says, wait = PASSING[case]
    found = hub_error(answered(status, headers), "org/student")
    assert says in str(found) and found.temporary and found.retry_after == wait


def test_what_the_hub_says_itself_is_quoted_on_one_line_and_without_tokens():
    error = answered(403, error=f"Storage limit reached\nfor {SECRET}")
    assert 'The Hub says: "Storage limit reached for hf_***"' in str(hub_error(error, "org/student"))
    long = answered(403, error="word " * 500)
    assert len(str(hub_error(long, "org/student"))) < 600


def test_a_refused_token_names_the_place_it_came_from(monkeypatch):
    error = answered(401, INVALID)
    assert "log in again with `hf auth login`" in str(hub_error(error, "org/student"))
    monkeypatch.setenv("HF_TOKEN", SECRET)
    assert "set HF_TOKEN to a valid one, or unset it" in str(hub_error(error, "org/student"))


def test_the_storage_of_large_files_is_not_taken_for_the_hub():
    """Its addresses are good for a while; when one has run out, the token is not to blame."""
    for status, passes in ((403, True), (500, True), (400, False)):
        error = answered(status, url="https://storage.example/lfs/1234?Signature=abc")
        found = hub_error(error, "org/student")
        assert found.temporary is passes and "storage.example" in str(found) and "Signature" not in str(found)


@pytest.mark.parametrize(
    "error",
    [
        httpx2.ConnectError("refused"),
        httpx2.ReadTimeout("slow"),
        httpx2.RemoteProtocolError("Server disconnected"),
        ConnectionResetError("reset"),
        ConnectionError("Network error: Request error"),  # as hf_xet raises it
        LocalEntryNotFoundError("not in the cache, and cannot reach the Hub"),
        json.JSONDecodeError("Expecting value", "<html>", 0),
    ],
)
def test_a_connection_that_fails_may_pass(error):
    found = hub_error(error, "org/student")
    assert found.temporary and HUB in str(found) and "HF_ENDPOINT" in str(found)


def test_the_telling_error_is_found_behind_those_that_wrap_it():
    wrapped = caused_by(OSError("org/student is not a local folder"), answered(404, {"X-Error-Code": "RepoNotFound"}))
    assert "there is no model org/student" in str(hub_error(wrapped, "org/student"))
    assert is_missing(wrapped) and not is_missing(OSError("something else"))
    broken = caused_by(RuntimeError("Error while uploading 'model.safetensors'"), httpx2.WriteError("cut"))
    assert hub_error(broken, "org/student").temporary
    cached = caused_by(LocalEntryNotFoundError("nothing in the cache"), answered(503))
    assert "(503)" in str(hub_error(cached, "org/student"))
    known = HubError("known already", temporary=True, retry_after=3)
    assert hub_error(caused_by(RuntimeError("thread died"), known), "org/student") is known


def test_a_bad_request_is_told_by_what_was_being_done():
    error = caused_by(ValueError("Invalid metadata in README.md.\n- license must be known"), answered(400))
    expected = "model org/student: Invalid metadata in README.md. - license must be known."
    assert str(hub_error(error, "org/student")) == expected


def test_names_logins_and_offline_mode(monkeypatch):
    with pytest.raises(ValueError) as caught:
        validate_repo_id("org/bad..name")
    assert "Expected the form org/name" in str(hub_error(caught.value, "org/bad..name"))
    assert "hf auth login" in str(hub_error(LocalTokenNotFoundError("no token"), "org/student"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for error in (OfflineModeIsEnabled("offline"), LocalEntryNotFoundError("not here")):
        found = hub_error(error, "org/student", "dataset", "v1")
        assert "dataset org/student at v1 is not (wholly) in the cache" in str(found) and not found.temporary


def test_what_nobody_thought_of_is_quoted_without_tokens():
    found = hub_error(RuntimeError(f"odd\n{SECRET}"), "org/student", "space")
    assert str(found) == "space org/student: odd hf_***." and not found.temporary
    assert str(hub_error(KeyError(), "org/student")).endswith(": KeyError.")


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "5"}, 5),
        ({"retry-after": " 0 "}, 0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"ratelimit": '"api";r=0;t=9', "Retry-After": "5"}, 9),
        ({"ratelimit": '"api";r=3;t=9'}, None),
        ({}, None),
    ],
)
def test_the_wait_that_a_hub_asks_for(headers, wait):
    assert wait_asked_for(headers) == wait
