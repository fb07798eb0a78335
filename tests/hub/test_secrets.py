import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.hub.secrets import SecretError, find_token, holds_token, redact, refuse_tokens

LETTERS = string.ascii_letters + string.digits
# Joined here, so that no scanner takes this file for a leak.
HF = "hf" + "_"
SECRET = HF + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
TOKENS = {
    "user": SECRET,
    "application": HF + "oauth_" + "eyJhbGciOi.eyJzdWIiOi-JvcmcifQ.sig_nature-0123456789",
    "short-lived": HF + "jwt_" + "eyJhbGciOiJFZERTQSJ9.eyJyZWFkIjp0cnVlfQ.aB-cD_eF",
    "organisation": "api" + "_org_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567",
}


@pytest.fixture(autouse=True)
def no_token_in_the_environment(monkeypatch):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("kind", TOKENS)
def test_every_kind_of_token_is_recognised_and_blotted_out_whole(kind):
    token = TOKENS[kind]
    text = f"Authorization: Bearer {token}, or token='{token}'"
    assert holds_token(text)
    assert redact(text) == "Authorization: Bearer hf_***, or token='hf_***'"
    assert not holds_token(redact(text))


@pytest.mark.parametrize(
    "text",
    [
        "hf_bionerkd/data/corpus.py",
        "hf_hub_download",
        HF + "*" * 34,
        HF + "short0123456789",
        "hf_ in words, hf_oauth_ too, and api_org_",
        "run `hf auth login`, or set HF_TOKEN",
    ],
)
def test_what_only_looks_a_little_like_one_is_left_alone(text):
    assert not holds_token(text)
    assert redact(text) == text


@given(
    st.text(alphabet=string.printable.replace("_", ""), max_size=30),
    st.text(alphabet=LETTERS, min_size=20, max_size=40),
    st.text(alphabet=" \n,;:'\")]}/", max_size=10),
)
def test_redaction_takes_the_token_and_nothing_else(before, secret, after):
    text = redact(f"{before}{HF}{secret}{after}")
    assert text == f"{before}hf_***{after}"


def test_the_token_in_use_is_known_by_its_value_whatever_its_shape(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "s3cret-of-our-own-hub")
    assert holds_token("token: s3cret-of-our-own-hub") and not holds_token("token: s3cret-of-another")
    assert redact("said s3cret-of-our-own-hub?") == "said hf_***?"
    monkeypatch.setenv("HF_TOKEN", "model")  # too short to tell from a word
    assert not holds_token("a model") and redact("a model") == "a model"


def test_a_file_is_searched_line_by_line_and_data_is_not(tmp_path):
    (tmp_path / "run.yaml").write_text(f"seed: 1\nname: ä\ntoken: {SECRET}\n", encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes("Größe\n".encode("latin-1") + SECRET.encode())
    (tmp_path / "clean.json").write_text("{}\n")
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "weights.safetensors").write_bytes(b"\x08\0\0\0" + SECRET.encode())
    assert find_token(tmp_path / "run.yaml") == 3
    assert find_token(tmp_path / "latin.txt") == 2
    assert find_token(tmp_path / "clean.json") is find_token(tmp_path / "empty.json") is None
    assert find_token(tmp_path / "weights.safetensors") is None


def test_a_publication_with_a_token_is_refused_by_file_and_line_without_the_token(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.jsonl").write_text('{"a": 1}\n{"b": "' + SECRET + '"}\n')
    refuse_tokens(tmp_path, ["a.json"])
    with pytest.raises(SecretError, match=r"^sub/b\.jsonl, line 2, holds an access token: nothing was sent") as caught:
        refuse_tokens(tmp_path, ["a.json", "sub/b.jsonl"])
    assert SECRET[5:] not in str(caught.value)
