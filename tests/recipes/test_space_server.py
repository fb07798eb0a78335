"""The running server of recipes/space as programs and attackers meet it: over HTTP, without a browser."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import warnings
from urllib.parse import urlsplit

import gradio as gr
import pytest
import shared_space
from annotation import Student, StudentError
from app import Page, launch_options
from limits import AT_ONCE, LARGEST_REQUEST, LONGEST, WAITING
from programs import Endpoints, usage
from students import Shelf

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:gradio", "ignore:.*copy keyword", "ignore:.*no_silent"
)
NAME = "find_mentions"
TEXT = "Aspirin for lung cancer 🧬 in carriers of TP53."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return shared_space.save_student(tmp_path_factory.mktemp("student") / "student")


@pytest.fixture(scope="module")
def student(folder):
    return Student(folder)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The folder in which Gradio would keep uploads."""
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def address(folder, stored):
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Gradio and what it imports
        patch.setenv("GRADIO_TEMP_DIR", str(stored))
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "0")
        patch.delenv("SPACE_HOST", raising=False)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        page = Page(Shelf([folder, "./nowhere"])).build()
        page.launch(
            server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True, **launch_options()
        )
        yield f"http://127.0.0.1:{port}"
        page.close(verbose=False)


def send(address, method, path, body=None, headers=()):
    """Status and body of one request."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def call(address, values, name=NAME, version="v2/"):
    """What the shell's lines do: the name of the event and what it holds."""
    path = f"/gradio_api/call/{version}{name}"
    body = values if isinstance(values, bytes) else json.dumps(values).encode()
    status, answer = send(address, "POST", path, body, {"Content-Type": "application/json"})
    assert status == 200, answer
    status, answer = send(address, "GET", f"{path}/{json.loads(answer)['event_id']}")
    assert status == 200
    event, data = answer.strip().split("\n")[-2:]
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


# Uploads


def form(size):
    boundary = "xyz"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'.encode()
    return head + b"x" * size + f"\r\n--{boundary}--\r\n".encode(), {
        "Content-Type": f"multipart/form-data; {boundary=!s}"
    }


@pytest.mark.parametrize(
    "path",
    [
        *("/gradio_api/upload", "/gradio_api/upload/", "/gradio_api/upload?upload_id=1", "//gradio_api/upload"),
        *("/gradio_api/%75pload", "/gradio_api/../gradio_api/upload", "/gradio_api/process_recording", "/upload"),
        *("/gradio_api/component_server", "/gradio_api/stream/1", "/gradio_api/queue/join/../../upload"),
    ],
)
def test_files_are_refused_and_not_stored(path, address, stored):
    body, headers = form(1000)
    status, answer = send(address, "POST", path, body, headers)
    assert (status, answer) == (403, "This page takes text only: it accepts no files and stores nothing.")
    assert not [path for path in stored.rglob("*") if path.is_file()]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_ways_to_send_are_refused(method, address):
    assert send(address, method, "/gradio_api/upload", b"x")[0] == 403


def test_no_copy_of_a_session_is_stored(address, stored):
    assert send(address, "GET", "/gradio_api/deep_link?session_hash=x")[0] == 403
    assert not [path for path in stored.rglob("*") if path.is_file()]


# Large and wrong requests


def raw(address, *pieces, until):
    """What the server answers to these bytes, up to some that it must answer; pieces after its answer are not sent."""
    answer = b""
    with socket.create_connection(urlsplit(address).netloc.split(":"), timeout=30) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except OSError:
            pass  # closed already, after an answer
        while until not in answer:
            read = connection.recv(4000)
            assert read, answer
            answer += read
    return answer


def head_of(path, **headers):
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in {"Host": "x", **headers}.items()]
    return f"POST /gradio_api/{path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


def test_a_large_request_is_refused_unread(address):
    for path, status in (("upload", b"403"), ("queue/join", b"413")):
        assert raw(address, head_of(path, Content_Length=300_000_000), until=b"HTTP/1.1 " + status)
    assert raw(
        address, head_of("queue/join", Content_Length=LARGEST_REQUEST + 1), until=b"larger than 8,388,608 bytes"
    )


def test_a_request_that_does_not_say_how_large_it_is_is_counted(address):
    chunk = b"100000\r\n" + b"x" * 2**20 + b"\r\n"
    assert raw(address, head_of("queue/join", Transfer_Encoding="chunked"), *[chunk] * 9, until=b"HTTP/1.1 413")


def test_a_body_may_come_in_pieces(address):
    """The guard reads a body whole, and hands on all of it."""
    body = json.dumps({"text": TEXT}).encode()
    head = head_of(f"call/v2/{NAME}", Content_Type="application/json", Content_Length=len(body))
    assert raw(address, head + body[:5], body[5:], until=b'"event_id"').startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        (f"v2/{NAME}", {}, "No value provided for required argument: text"),
        (f"v2/{NAME}", {"text": "x", "temperature": 1}, "Parameter `temperature` is not a valid key-word argument."),
        ("v2/nothing", {"text": "x"}, "there is no such endpoint"),
        ("nothing", {"data": ["x"]}, "there is no such endpoint"),
    ],
)
def test_a_wrong_call_is_told_what_is_wrong(path, body, reason, address):
    """Gradio itself answers "Internal Server Error"."""
    headers = {"Content-Type": "application/json"}
    status, answer = send(address, "POST", f"/gradio_api/call/{path}", json.dumps(body).encode(), headers)
    assert (status, json.loads(answer)) == (422, {"detail": reason})


def test_nobody_passes_by_the_queue(address):
    headers = {"Content-Type": "application/json"}
    for path in (f"/gradio_api/run/{NAME}", f"/gradio_api/api/{NAME}"):
        assert send(address, "POST", path, json.dumps({"data": ["x"] * 5}).encode(), headers)[0] == 403
    config = json.loads(send(address, "GET", "/config")[1])
    queued = [one["id"] for one in config["dependencies"] if one["queue"] is not False]
    assert len(queued) >= 6
    for index in queued:
        body = json.dumps({"data": ["x"] * 8, "fn_index": index}).encode()
        status, answer = send(address, "POST", "/gradio_api/run/predict", body, headers)
        assert status == 404 and "does not accept direct" in answer


def test_the_queue_has_an_end(folder):
    """The one who comes when it is full is told so."""
    begun, go_on = threading.Event(), threading.Event()

    class Slow:
        types, tags, default_tag = ("Gene",), (), None

        def annotate(self, text, tag, on_progress):
            begun.set()
            assert go_on.wait(60)
            raise StudentError("done")

    shelf = Shelf(["slow"])
    shelf.get = lambda name: Slow()
    page = Page(shelf).build()
    assert page._queue.max_size == WAITING
    limits = {fn.api_name or fn.name: fn.concurrency_limit for fn in page.fns.values() if fn.queue}
    assert limits[NAME] == AT_ONCE and None not in limits.values()
    reading = {fn.concurrency_id for fn in page.fns.values() if fn.name in ("find", NAME)}
    assert reading == {"reading"}  # the page and programs share the limit
    page.queue(max_size=1, api_open=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    try:
        headers, body = {"Content-Type": "application/json"}, json.dumps({"text": "x"}).encode()
        statuses = []
        for _ in range(5):  # two are read, one waits
            status, answer = send(address, "POST", f"/gradio_api/call/v2/{NAME}", body, headers)
            statuses.append(status)
            assert begun.wait(30)
            if status == 503:
                assert "Queue is full" in answer
                break
        assert statuses[-1] == 503 and len(statuses) > 1
    finally:
        go_on.set()
        page.close(verbose=False)


# The API


def mentions(annotation):
    return [
        {"start": m.start, "end": m.end, "type": m.type, "text": m.text, "score": pytest.approx(score, abs=1e-4)}
        for m, score in annotation.scored
    ]


def test_programs_get_mentions_with_offsets(address, student, folder):
    event, (answer,) = call(address, {"text": TEXT})
    assert event == "complete" and answer["mentions"] == mentions(student.annotate(TEXT)) != []
    assert answer["text"] == TEXT and answer["model"]["id"] == folder and answer["guidelines"] == "all"
    for mention in answer["mentions"]:
        assert TEXT[mention["start"] : mention["end"]] == mention["text"]


def test_the_older_form_of_a_call_takes_all_parameters_in_order(address, student):
    _, (answer,) = call(address, {"data": [TEXT, None, "chem", None, 0]}, version="")
    assert answer["mentions"] == mentions(student.annotate(TEXT, "chem"))


def test_scores_and_types_choose_what_programs_get(address, student):
    every = call(address, {"text": TEXT})[1][0]["mentions"]
    middle = sorted(one["score"] for one in every)[len(every) // 2]
    kind = every[0]["type"]
    answer = call(address, {"text": TEXT, "minimum_score": middle, "types": [kind]})[1][0]
    assert answer["mentions"] == [one for one in every if one["score"] >= middle and one["type"] == kind]
    assert len(answer["mentions"]) < len(every)
    assert (answer["minimum_score"], answer["types"]) == (middle, [kind])


def test_the_python_client_can_do_it(address, student, folder):
    from gradio_client import Client

    client = Client(address, verbose=False)
    answer = client.predict(text=TEXT, guidelines="gene", api_name=f"/{NAME}")
    assert answer["mentions"] == mentions(student.annotate(TEXT, "gene"))
    known, unknown = client.predict(api_name="/models")
    assert known == {"model": folder, "types": list(shared_space.TYPES), "guidelines": ["all", "chem", "gene"]}
    assert unknown["model"] == "./nowhere" and "no folder" in unknown["problem"]


def test_half_characters_become_whole_ones_and_offsets_stay(address, student):
    event, (answer,) = call(address, b'{"text": "aspirin \\ud83e asthma \\udda6 TP53"}')
    assert event == "complete" and answer["text"] == "aspirin \ufffd asthma \ufffd TP53"
    assert answer["mentions"] == mentions(student.annotate(answer["text"]))


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\0\r\n\u2028", "e\u0301\u200b\ufeff", "", " \n"])
def test_odd_texts_come_back_as_they_were(text, address):
    event, (answer,) = call(address, {"text": text})
    assert event == "complete" and answer["text"] == text


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"text": 5}, "text must be a string, not 5."),
        ({"text": None}, "text must be a string, not None."),
        ({"text": "x" * (LONGEST + 1)}, "This text has 100,001 characters, and at most 100,000 are read at a time"),
        ({"text": "x", "minimum_score": 2}, "minimum_score must be a number from 0 to 1, not 2."),
        ({"text": "x", "minimum_score": "0.5"}, "minimum_score must be a number from 0 to 1, not '0.5'."),
        ({"text": "x", "minimum_score": True}, "minimum_score must be a number from 0 to 1, not True."),
        (b'{"text": "x", "minimum_score": NaN}', "minimum_score must be a number from 0 to 1, not nan."),
        ({"text": "x", "types": ["Cell"]}, "types must be a list of Disease, Chemical, Gene, not ['Cell']."),
        ({"text": "x", "types": "Gene"}, "types must be a list of Disease, Chemical, Gene, not 'Gene'."),
        ({"text": "x", "types": [[1]]}, "types must be a list of Disease, Chemical, Gene, not [[1]]."),
        ({"text": "x", "model": "org/evil"}, "there is no model 'org/evil' here; choose one of "),
        ({"text": "x", "model": ["a"]}, "there is no model ['a'] here; choose one of "),
        ({"text": "x", "model": "./nowhere"}, "no folder or file './nowhere'"),
        ({"text": "x", "guidelines": "zz"}, "knows no guidelines 'zz'; it knows all, chem, gene."),
        (b'{"text": "x", "guidelines": "\\ud83e"}', "knows no guidelines '\\ud83e'; it knows"),
    ],
)
def test_what_programs_get_wrong_is_said_in_one_sentence(values, reason, address):
    event, answer = call(address, values)
    assert event == "error" and reason in answer["error"] and "\n" not in answer["error"]


def test_the_api_documents_itself(address):
    endpoints = json.loads(send(address, "GET", "/gradio_api/info")[1])["named_endpoints"]
    assert set(endpoints) == {"/find_mentions", "/models"}  # the page's own reactions are no API
    entry = endpoints["/find_mentions"]
    assert "offsets count Unicode code points" in entry["description"]
    names = [one["parameter_name"] for one in entry["parameters"]]
    assert names == ["text", "model", "guidelines", "types", "minimum_score"]
    assert [one["parameter_has_default"] for one in entry["parameters"]] == [False, True, True, True, True]
    assert all(len(one["label"]) > 30 for one in entry["parameters"])
    assert f"{LONGEST:,} characters" in (Endpoints.find_mentions.__doc__ or "") and f"{LONGEST:,}" in usage("x")


def test_the_page_shows_the_lines_that_call_it(monkeypatch):
    monkeypatch.setenv("SPACE_HOST", "org-demo.hf.space")
    request = gr.Request(headers={"host": "ignored"})
    html = Page.usage(request)
    assert "https://org-demo.hf.space/gradio_api/call/v2/find_mentions" in html
    assert "Client(&quot;https://org-demo.hf.space&quot;)" in html
    monkeypatch.delenv("SPACE_HOST")
    assert "<script>" not in Page.usage(gr.Request(headers={"host": "<script>"}))
