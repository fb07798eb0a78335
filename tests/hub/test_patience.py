import httpx2
import pytest
from huggingface_hub import constants, get_session

from hf_bionerkd.hub import patience
from hf_bionerkd.hub.errors import HubError
from hf_bionerkd.hub.patience import Patience

HUB = "https://hub.example"


@pytest.fixture
def slept(monkeypatch):
    pauses = []
    monkeypatch.setattr(patience.time, "sleep", pauses.append)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return pauses


class Server:
    """Answers in turn, through the client's own session; the last answer stays."""

    def __init__(self, monkeypatch, *answers):
        self.answers, self.calls, self.timeouts = list(answers), 0, []
        session = get_session()
        monkeypatch.setattr(session, "_transport_for_url", lambda url: httpx2.MockTransport(self.answer))

    def answer(self, request):
        self.calls += 1
        self.timeouts.append(request.extensions["timeout"])
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        status, headers = found if isinstance(found, tuple) else (found, {})
        return httpx2.Response(status, headers=headers)


def fetch():
    get_session().get(f"{HUB}/api/models/org/student").raise_for_status()
    return "done"


def failing(*errors):
    """A call that fails so, then succeeds."""
    left = list(errors)

    def call(*args, **kwargs):
        if left:
            raise left.pop(0)
        return args, kwargs

    return call


def test_a_call_that_goes_well_is_made_once_with_its_arguments(slept):
    assert Patience("org/student", "model")(failing(), 1, two=2) == ((1,), {"two": 2})
    assert slept == []


def test_trouble_that_passes_is_waited_for(slept, caplog):
    errors = [ConnectionError("cut"), HubError("busy", temporary=True, retry_after=40), TimeoutError()]
    assert Patience("org/student", "model")(failing(*errors)) == ((), {})
    assert slept == [patience.WAITS[0], 40, patience.WAITS[2]]
    assert "Trying once more in 40 s" in caplog.text


def test_trouble_that_stays_is_given_up_after_all_waits(slept):
    errors = [ConnectionError("cut")] * 9
    with pytest.raises(HubError, match="could not be reached, or cut the connection") as caught:
        Patience("org/student", "model")(failing(*errors))
    assert slept == list(patience.WAITS) and caught.value.temporary
    assert isinstance(caught.value.__cause__, ConnectionError)
    slept.clear()
    with pytest.raises(HubError):
        Patience("org/student", "model")(failing(*errors), waits=())
    assert slept == []


def test_what_will_not_pass_is_not_repeated(slept):
    refused = HubError("no")
    with pytest.raises(HubError) as caught:
        Patience("org/student", "model")(failing(refused))
    assert caught.value is refused
    with pytest.raises(HubError, match="^model org/student: no such file"):
        Patience("org/student", "model")(failing(FileNotFoundError("no such file")))
    assert slept == []


@pytest.mark.parametrize("bug", [KeyError("x"), AttributeError("x"), TypeError("x")])
def test_a_bug_keeps_its_traceback(slept, bug):
    with pytest.raises(type(bug)):
        Patience("org/student", "model")(failing(bug))


def test_an_upload_thread_that_died_of_the_connection_is_no_bug(slept):
    def upload():
        raise RuntimeError("Error while uploading 'model.safetensors' to the Hub.") from httpx2.WriteError("cut")

    with pytest.raises(HubError, match="cut the connection"):
        Patience("org/student", "model")(upload, waits=())


def test_limits_on_requests_may_cost_only_so_much_in_all(slept, monkeypatch):
    server = Server(monkeypatch, (429, {"Retry-After": "50"}))

    def insisting():  # as the client does, which sleeps for as long as the Hub says
        for _ in range(6):
            get_session().get(f"{HUB}/api/models/org/student")

    with pytest.raises(HubError, match=r"limits how often it may be asked \(429\) and wants 50 seconds") as caught:
        Patience("org/student", "model")(insisting)
    assert server.calls == 3 and slept == [] and not caught.value.temporary  # 50 and 100 are within 120 seconds


def test_one_long_limit_is_given_up_at_once(slept, monkeypatch):
    server = Server(monkeypatch, (503, {"Retry-After": "900"}))
    with pytest.raises(HubError, match="wants 900 seconds more; try again after that"):
        Patience("org/student", "model")(fetch)
    assert server.calls == 1 and slept == []


def test_no_connection_may_hang_and_the_session_is_left_as_it_was(slept, monkeypatch):
    server = Server(monkeypatch, 200)
    session = get_session()
    before = (session.timeout, list(session.event_hooks["response"]))
    assert Patience("org/student", "model")(fetch) == "done"
    with pytest.raises(HubError):
        Patience("org/student", "model")(failing(HubError("no")))
    assert (session.timeout, session.event_hooks["response"]) == before
    connect, read, write = (server.timeouts[0][kind] for kind in ("connect", "read", "write"))
    assert connect and read and write and connect < write < read
