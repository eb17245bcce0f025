"""Lines of the log: what they are made of, by whichever way they come."""

import asyncio
import io
import json
import logging
import re
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import yaml  # type: ignore[import-untyped]  # only tests read YAML

from ops.logging import Line, bound, get_logger, log_line, masks, set_up
from ops.settings import load
from tests.ops.test_logging import lines_of


def test_what_is_an_error_is_of_that_category_unless_it_is_one_of_security(tmp_path: Path) -> None:
    def write() -> None:
        get_logger().error("one")
        logging.getLogger("library").critical("two")
        get_logger("security").error("three")
        get_logger().warning("four")
        log_line("five", category="access", level="info")

    told = lines_of(tmp_path, write)

    assert [line["category"] for line in told] == [
        "error",
        "error",
        "security",
        "application",
        "access",
    ]


def test_the_direct_way_writes_what_the_usual_one_does(tmp_path: Path) -> None:
    facts = {"user": uuid4(), "status": 200, "seconds": 0.5, "who": "canary@acme.com", "none": None}

    def write() -> None:
        with bound(request_id="req_1", status=500):
            get_logger("access").info("request", **facts)
            log_line("request", category="access", level="info", **facts)
            log_line("request", category="access", level="debug", **facts)

    usual, direct = lines_of(tmp_path, write)

    moments = [datetime.fromisoformat(line.pop("time")) for line in (usual, direct)]
    assert usual == direct
    assert direct["who"] == "c***@acme.com"
    assert list(direct)[:4] == ["level", "category", "process", "event"]
    assert timedelta(0) <= moments[1] - moments[0] < timedelta(seconds=1)


@pytest.mark.parametrize("shape", ["json", "text"])
def test_a_line_that_is_written_again_and_again_is_like_one_that_is_written_once(
    tmp_path: Path, shape: str
) -> None:
    line = Line("request", category="access", level="info", route="/x", status=200)
    quiet = Line("request", category="access", level="debug")
    output, user = io.StringIO(), uuid4()
    moment = 1_795_000_000_123_456_789

    for process in ("web.1", "web.2"):
        set_up(load({"LOG_FORMAT": shape}, directory=tmp_path), process=process, output=output)
        line.write(moment, {"path": '/a"\u00e9?password=canary', "code": "123456"}, {"user": user})
        line.write(moment, {}, {})
        quiet.write(moment, {}, {})
        log_line("request", category="access", level="info", route="/x", status=200)
    set_up(load({"LOG_FORMAT": "json"}, directory=tmp_path), process="test")

    told = output.getvalue()
    assert "canary" not in told
    assert "123456," not in told
    full, bare, once, *of_the_second = told.splitlines()
    assert len(of_the_second) == 3
    if shape == "json":
        first, second, third = map(json.loads, (full, bare, once))
        assert list(first)[:5] == ["time", "level", "category", "process", "event"]
        assert first == second | {
            "path": '/a"é?password=[hidden]',
            "code": "[hidden]",
            "user": str(user),
        }
        assert second == third | {"time": "2026-11-18T11:06:40.123456Z"}
        assert [json.loads(item)["process"] for item in of_the_second] == ["web.2"] * 3
    else:
        assert bare == "11:06:40.123 info    request  route=/x status=200"
        assert full == f'{bare} path=/a"é?password=[hidden] code=[hidden] user={user}'


def test_what_is_bound_ends_with_its_block_and_is_kept_by_tasks_begun_in_it(
    tmp_path: Path,
) -> None:
    async def tell(event: str) -> None:
        await asyncio.sleep(0)
        get_logger().info(event)

    async def work() -> None:
        with bound(request_id="outer", job="one"):
            with bound(request_id="inner"):
                task = asyncio.create_task(tell("begun within"))
            await tell("after")
            await task
        await tell("at last")

    told = {line["event"]: line for line in lines_of(tmp_path, lambda: asyncio.run(work()))}

    assert told["begun within"]["request_id"] == "inner"
    assert (told["after"]["request_id"], told["after"]["job"]) == ("outer", "one")
    assert "request_id" not in told["at last"]


def test_texts_that_are_remembered_as_harmless_are_bounded_and_hold_no_secret(
    tmp_path: Path,
) -> None:
    def write() -> None:
        for number in range(5_000):
            secret = {f"fact_{number}": f"ort_Canary{number:012}"}
            get_logger().info(f"event number {number}", **secret)

    told = lines_of(tmp_path, write)

    assert len(told) == 5_000
    assert "Canary" not in json.dumps(told)
    assert max(len(masks._looked_through), len(masks._harmless_names)) <= 2_048
    assert not any("Canary" in text for text in masks._looked_through)


def test_the_files_for_log_collectors_name_fields_that_lines_have(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "logs.md").read_text()
    promtail, filebeat = (
        yaml.safe_load(found) for found in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    )
    (line,) = lines_of(tmp_path, lambda: log_line("request", category="access", level="info"))

    (scrape,) = promtail["scrape_configs"]
    stages = {name: stage for each in scrape["pipeline_stages"] for name, stage in each.items()}
    assert set(stages["json"]["expressions"].values()) <= set(line)
    assert set(stages["labels"]) <= set(stages["json"]["expressions"])
    moment = filebeat["processors"][0]["timestamp"]
    assert moment["field"].removeprefix("ostiary.") in line
    shape = re.sub(r"\d", "0", line["time"])
    assert [re.sub(r"\d", "0", example) for example in moment["test"]] == [shape]
    for path in (scrape["static_configs"][0]["labels"]["__path__"],):
        assert path in filebeat["filebeat.inputs"][0]["paths"]
