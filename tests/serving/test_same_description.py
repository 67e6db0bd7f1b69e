"""The same bytes get the same description, whichever way they come."""

from __future__ import annotations

import base64
import json
import subprocess
from itertools import pairwise
from pathlib import Path

import httpx
import openai
import pytest
from PIL import Image
from running_server import picture

from hazardscribe import describe
from hazardscribe.cli import main
from hazardscribe.pairs.columns import AI_KEY

MORE = {"max_new_tokens": 8, "device": "cpu", "rerank": False}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[Path]:
    """Photos as phones and scanners make them, not only of the model's size."""
    folder = tmp_path_factory.mktemp("photos")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    made = {
        "small.png": picture(64, 48, "PNG"),
        "large.jpg": picture(1600, 1200, quality=90),
        "turned.jpg": picture(400, 300, exif=exif),
        "page.webp": picture(300, 500, "WEBP"),
    }
    for name, content in made.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in made]


def test_verb_command_api_curl_and_openai_client_say_the_same(talkative, server, files, capsys):
    said = [record[AI_KEY] for record in describe(list(map(str, files)), talkative, **MORE)]
    assert len(set(said)) == len(files)

    names = list(map(str, files))
    options = ["--max_new_tokens", "8", "--device", "cpu", "--rerank", "false"]
    assert main(["describe", *names, "--model", str(talkative), *options]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines == [list(both) for both in zip(names, said, strict=True)]

    parts = [("photos", (file.name, file.read_bytes())) for file in files]
    answer = httpx.post(f"{server}/v1/describe", files=parts, timeout=60).json()
    assert [one["text"] for one in answer["descriptions"]] == said

    named = [argument for file in files for argument in ("-F", f"photos=@{file}")]
    curl = ["curl", "-sS", "--noproxy", "*", *named, f"{server}/v1/describe"]
    answer = json.loads(subprocess.run(curl, capture_output=True, check=True).stdout)
    assert [one["text"] for one in answer["descriptions"]] == said

    client = openai.OpenAI(base_url=f"{server}/v1", api_key="none")
    model = client.models.list().data[0].id
    for file, text in zip(files, said, strict=True):
        url = f"data:image/jpeg;base64,{base64.b64encode(file.read_bytes()).decode()}"
        content = [{"type": "image_url", "image_url": {"url": url}}]
        messages = [{"role": "user", "content": content}]
        whole = client.chat.completions.create(model=model, messages=messages)
        assert whole.choices[0].message.content == text
        stream = client.chat.completions.create(model=model, messages=messages, stream=True)
        parts = [chunk.choices[0].delta.content or "" for chunk in stream]
        assert "".join(parts) == text


def test_events_end_in_the_same_description(talkative, server, files):
    [record] = describe([str(files[1])], talkative, **MORE)
    ask = {"Accept": "text/event-stream"}
    parts = [("photos", files[1].read_bytes())]
    with httpx.stream("POST", f"{server}/v1/describe", files=parts, headers=ask, timeout=60) as got:
        assert got.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in got.iter_lines() if line]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert {event["event"] for event in events[:-1]} <= {"waiting", "text"}
    assert events[-1]["event"] == "result"
    assert events[-1]["descriptions"][0]["text"] == record[AI_KEY]
    grown = [event["text"] for event in events if event["event"] == "text"]
    assert grown[-1] == record[AI_KEY]
    assert all(later.startswith(text) for text, later in pairwise(grown))


def test_alternatives_do_not_change_the_answer(server, files):
    parts = [("photos", file.read_bytes()) for file in files]
    plain = httpx.post(f"{server}/v1/describe", files=parts, timeout=60).json()
    more = httpx.post(
        f"{server}/v1/describe", files=parts, data={"alternatives": "3"}, timeout=60
    ).json()
    for one, other in zip(plain["descriptions"], more["descriptions"], strict=True):
        assert (one["text"], one["confidence"]) == (other["text"], other["confidence"])
        assert one["alternatives"] == []
        assert 1 <= len(set(other["alternatives"])) == len(other["alternatives"]) <= 3
        assert one["text"] not in other["alternatives"]
